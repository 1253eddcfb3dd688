/**
 * Which Markdown files of the repository are pages of the documentation site, at which address, and where a link between
 * two files leads there. The files stay as they are on GitHub: relative links, no front matter, no second copy.
 */
import { globSync } from 'node:fs';
import { posix } from 'node:path';

/** Files outside of docs/ that are pages too, and where. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'README.md': 'index.md',
  'CHANGELOG.md': 'project/changelog.md',
  'CONTRIBUTING.md': 'project/contributing.md',
  'SECURITY.md': 'project/security.md',
};

/** The page with the sidebar's order; it would be a second index of the root. */
const CONTENTS = 'docs/README.md';

/** Returns the Markdown files that are pages, by their paths in the repository, sorted. */
export function pageFiles(root: string): readonly string[] {
  const found = globSync('{docs,samples}/**/*.md', { cwd: root }).map((path) => path.replaceAll('\\', '/'));
  return [...Object.keys(ELSEWHERE), ...found].sort();
}

/**
 * Returns the path of a page in the site, as a Markdown file. docs/ is its root, so that docs/runbooks/no-leader.md is at
 * /runbooks/no-leader, where the alerts' runbook_url points.
 */
export function sitePath(file: string): string {
  if (file === CONTENTS) return 'contents.md';
  return ELSEWHERE[file] ?? file.replace(/^docs\//, '').replace(/(^|\/)README\.md$/, '$1index.md');
}

/** Returns the address of a page below the site's base, such as /runbooks/no-leader. */
export function address(file: string): string {
  return `/${sitePath(file).replace(/(^|(?<=\/))index\.md$|\.md$/, '')}`;
}

/** Where a link leads: to a page of the site, to something else of the repository, or out of it. */
export type Target =
  | { readonly to: 'page'; readonly file: string; readonly anchor: string }
  | { readonly to: 'repository'; readonly path: string; readonly anchor: string }
  | { readonly to: 'elsewhere' };

/**
 * Returns where the link `href` in the file `from` leads. A link to a folder leads to its README.md, if that is a page.
 *
 * @param pages the files that are pages
 */
export function resolve(from: string, href: string, pages: ReadonlySet<string>): Target {
  if (/^([a-z][a-z0-9+.-]*:|\/\/|#)/i.test(href)) return { to: 'elsewhere' };
  const hash = href.indexOf('#');
  const anchor = hash < 0 ? '' : href.slice(hash);
  const path = posix.join(posix.dirname(from), hash < 0 ? href : href.slice(0, hash)).replace(/\/$/, '');
  const page = [path, posix.join(path, 'README.md')].find((file) => pages.has(file));
  return page === undefined ? { to: 'repository', path, anchor } : { to: 'page', file: page, anchor };
}

/**
 * Returns the anchor of a heading as GitHub makes it: small letters, no punctuation, spaces as hyphens. So a link with an
 * anchor works in both places; test/unit/docs/links.test.ts checks them by the same rule.
 */
export function slug(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
    .replaceAll(' ', '-');
}
