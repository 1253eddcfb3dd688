/**
 * Checks a site that was built: that every page is there, that every link and anchor within it leads somewhere, and that
 * no page loads anything from another host or runs a script that stands in the page.
 */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

import { address } from './pages.ts';

/** What of a page of HTML is checked. */
export interface Page {
  readonly ids: ReadonlySet<string>;
  /** Where its links lead, as they are written. */
  readonly links: readonly string[];
  /** What a browser loads with it. */
  readonly loads: readonly string[];
  /** Its scripts that stand in it, in place of a file. */
  readonly inline: number;
  /** Its Content-Security-Policy. */
  readonly policy: string;
  /** Whether that comes before all that is loaded: it says nothing of what is above it. */
  readonly isFirst: boolean;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

const text = (value: string): string =>
  value.replaceAll(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ENTITIES[name] ?? '');

const LOADING: ReadonlySet<string> = new Set(['link', 'script', 'style', 'img']);

/** Returns what is checked of a page. It is for HTML as VitePress writes it: attributes in double quotes. */
export function parsePage(html: string): Page {
  const tags = Array.from(html.matchAll(/<([a-z][a-z0-9]*)((?:\s+[\w:@-]+(?:="[^"]*")?)*)\s*\/?>/gi));
  const read = tags.map(([, name = '', attributes = '']) => ({
    name: name.toLowerCase(),
    attributes: new Map(
      Array.from(attributes.matchAll(/([\w:@-]+)(?:="([^"]*)")?/g)).map(([, key = '', value = '']) => [
        key,
        text(value),
      ]),
    ),
  }));
  const all = (name: string, key: string): readonly string[] =>
    read.flatMap((tag) => (tag.name === name && tag.attributes.has(key) ? [tag.attributes.get(key) ?? ''] : []));
  const at = read.findIndex(({ attributes }) => attributes.get('http-equiv') === 'Content-Security-Policy');
  return {
    ids: new Set(read.flatMap(({ attributes }) => (attributes.has('id') ? [attributes.get('id') ?? ''] : []))),
    links: all('a', 'href'),
    loads: [
      ...all('link', 'href'),
      ...['script', 'img', 'iframe', 'source', 'video'].flatMap((tag) => all(tag, 'src')),
    ],
    inline: read.filter(({ name, attributes }) => name === 'script' && !attributes.has('src')).length,
    policy: read[at]?.attributes.get('content') ?? '',
    isFirst: at >= 0 && !read.slice(0, at).some(({ name }) => LOADING.has(name)),
  };
}

/** Returns the file that a server gives for the path of an address; undefined if there is none. */
function served(site: string, path: string): string | undefined {
  const candidates = path.endsWith('/') ? [`${path}index.html`] : [path, `${path}.html`];
  return candidates.map((one) => join(site, one)).find((file) => existsSync(file) && statSync(file).isFile());
}

/**
 * Returns a sentence for each fault of a site.
 *
 * @param site the folder that it was built into
 * @param base the path that it is published at, with a slash at both ends
 * @param files the Markdown files that are its pages
 */
export function checkSite(site: string, base: string, files: readonly string[]): readonly string[] {
  const faults: string[] = [];
  for (const file of files)
    if (served(site, address(file)) === undefined) faults.push(`${file}: there is no page at ${address(file)}`);

  const names = globSync('**/*.html', { cwd: site }).map((name) => name.replaceAll('\\', '/'));
  const pages = new Map(names.map((name) => [join(site, name), parsePage(readFileSync(join(site, name), 'utf8'))]));

  /** Why an address of this site cannot be followed; empty if it can. */
  const lost = (from: string, href: string): string => {
    const [path = '', anchor = ''] = href.split('#', 2);
    const absolute = posix.resolve(base, posix.dirname(from), path) + (path.endsWith('/') ? '/' : '');
    if (!`${absolute}/`.startsWith(base)) return `leads out of ${base}`;
    const file = path === '' ? join(site, from) : served(site, decodeURI(`/${absolute.slice(base.length)}`));
    if (file === undefined) return 'leads nowhere';
    return anchor === '' || pages.get(file)?.ids.has(decodeURIComponent(anchor)) ? '' : 'leads to no such heading';
  };

  for (const name of names) {
    const page = pages.get(join(site, name));
    if (page === undefined) continue;
    for (const href of page.links) {
      const why = /^(https?|mailto):/.test(href) ? '' : lost(name, href);
      if (why !== '') faults.push(`${name}: ${href} ${why}`);
    }
    for (const href of page.loads) {
      const why = /^([a-z]+:|\/\/)/.test(href) ? 'is loaded from elsewhere' : lost(name, href);
      if (why !== '') faults.push(`${name}: ${href} ${why}`);
    }
    if (page.inline > 0) faults.push(`${name}: ${page.inline} scripts stand in the page`);
    if (!page.policy.includes("default-src 'self'") || !page.isFirst)
      faults.push(`${name}: has no Content-Security-Policy before what it loads`);
  }
  for (const name of globSync('**/*.css', { cwd: site }))
    for (const [, href = ''] of readFileSync(join(site, name), 'utf8').matchAll(
      /(?:url\(|@import\s+)["']?([^"')\s]+)/g,
    ))
      if (/^(https?:)?\/\//.test(href)) faults.push(`${name}: ${href} is loaded from elsewhere`);
  return faults;
}
