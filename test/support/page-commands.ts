/** The commands that a page of the documentation tells its reader to run. */

export interface PageBlock {
  /** The heading above it, without #. */
  readonly heading: string;
  /** The lines between ```sh and ```. */
  readonly script: string;
}

/** The blocks of a Markdown text that are marked as sh, in their order. */
export function commandsOf(markdown: string): readonly PageBlock[] {
  let heading = '';
  const blocks: PageBlock[] = [];
  for (const [, title, script] of markdown.matchAll(/^#+ (.+)$|^```sh\n([^]*?)^```$/gm)) {
    if (title !== undefined) heading = title;
    if (script !== undefined) blocks.push({ heading, script });
  }
  return blocks;
}
