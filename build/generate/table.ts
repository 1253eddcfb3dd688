/** Returns a table in Markdown. A cell may contain code in backquotes, but no newline. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escaped).join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

function escaped(cell: string): string {
  const withoutBars = cell.replaceAll('|', '\\|');
  // every other piece is code, where an asterisk is literal
  return withoutBars
    .split('`')
    .map((piece, index) => (index % 2 === 0 ? piece.replaceAll('*', '\\*') : piece))
    .join('`');
}
