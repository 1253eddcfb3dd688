/**
 * The sidebar: one group for each reader, in the order of the first table of docs/README.md, then what its other sections
 * add. A page is listed once, where it is named first; previous and next follow the same order.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { address, resolve } from './pages.ts';

/** An entry of VitePress's sidebar. */
export interface Entry {
  readonly text: string;
  readonly link?: string;
  readonly collapsed?: boolean;
  readonly items?: readonly Entry[];
}

interface Link {
  readonly text: string;
  readonly file: string;
}

/** Pages whose own tables or lists are listed below them: a folder of runbooks, and one of decisions. */
const BELOW = new Set(['docs/runbooks/README.md', 'docs/adr/README.md']);

/** Returns the links of a text to pages, in their order. */
function linksIn(text: string, from: string, pages: ReadonlySet<string>): readonly Link[] {
  return Array.from(text.matchAll(/\[([^\]]+)\]\(([^)\s]+)\)/g)).flatMap(([, label = '', href = '']) => {
    const target = resolve(from, href, pages);
    return target.to === 'page' ? [{ text: label, file: target.file }] : [];
  });
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Returns the groups of docs/README.md: a title, and the text with its links. */
function groupsOf(contents: string): readonly { readonly title: string; readonly text: string }[] {
  const [first = '', ...sections] = contents.split(/^## /m);
  const readers = Array.from(first.matchAll(/^\| *([^|\n]*[a-zA-Z][^|\n]*?) *\|(.*\]\(.*)\|$/gm));
  return [
    ...readers.map(([, title = '', text = '']) => ({ title, text })),
    ...sections.map((text) => ({ title: text.split('\n', 1)[0] ?? '', text })),
  ];
}

/**
 * Returns the sidebar.
 *
 * @param root the folder of the repository
 * @param files the files that are pages
 */
export function sidebar(root: string, files: readonly string[]): readonly Entry[] {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8');
  const pages = new Set(files);
  const listed = new Set<string>(['docs/README.md']);

  const entries = (text: string, from: string): readonly Entry[] =>
    linksIn(text, from, pages).flatMap((link) => {
      if (listed.has(link.file)) return [];
      listed.add(link.file);
      const entry = { text: capital(link.text), link: address(link.file) };
      if (!BELOW.has(link.file)) return [entry];
      return [{ ...entry, collapsed: true, items: below(link.file) }];
    });

  const below = (file: string): readonly Entry[] =>
    linksIn(read(file), file, pages).flatMap((link) => {
      if (listed.has(link.file)) return [];
      listed.add(link.file);
      // decisions are linked by their number: their title says more
      const title = /^# (.+)$/m.exec(read(link.file))?.[1] ?? link.text;
      return [{ text: title.replaceAll('`', ''), link: address(link.file) }];
    });

  const contents = { text: 'Contents', link: address('docs/README.md') };
  const groups = groupsOf(read('docs/README.md'))
    .map(({ title, text }) => ({ text: capital(title), items: entries(text, 'docs/README.md') }))
    .filter(({ items }) => items.length > 0);
  return groups.map((group, index) => (index === 0 ? { ...group, items: [...group.items, contents] } : group));
}

/** Returns the addresses of a sidebar, in its order. */
export function addressesOf(entries: readonly Entry[]): readonly string[] {
  return entries.flatMap(({ link, items = [] }) => [...(link === undefined ? [] : [link]), ...addressesOf(items)]);
}
