/** Returns the items of a comma-separated list; blanks around items and empty items are ignored. */
export function readList(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
