/** The configuration of VitePress for the documentation site (ADR 39). */
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { sidebar } from './navigation.ts';
import { address, pageFiles, resolve, sitePath, slug } from './pages.ts';

const ROOT = join(import.meta.dirname, '../..');

/** What a site depends on beside the pages. */
export interface Surroundings {
  /** The path that the site is published at, with a slash at both ends. */
  readonly base: string;
  /** The repository on the web, for links to its files and for editing. Empty: such links are plain text. */
  readonly source: string;
  /** The branch, tag or commit whose files are linked. */
  readonly revision: string;
}

/**
 * Returns what the environment says: DOCS_BASE (default /), DOCS_SOURCE (default: where origin is, if that is on the web)
 * and DOCS_REVISION (default main).
 */
export function surroundings(env: Readonly<Record<string, string | undefined>>): Surroundings {
  return {
    base: `/${env.DOCS_BASE ?? ''}/`.replaceAll(/\/+/g, '/'),
    source: (env.DOCS_SOURCE ?? webAddress(origin())).replace(/\/$/, ''),
    revision: env.DOCS_REVISION ?? 'main',
  };
}

function origin(): string {
  try {
    const stdio = ['ignore', 'pipe', 'ignore'] as const;
    return execFileSync('git', ['remote', 'get-url', 'origin'], { cwd: ROOT, encoding: 'utf8', stdio: [...stdio] });
  } catch {
    return '';
  }
}

/** Returns the address of a repository for browsers, from that for git; empty if it is on no known web site. */
export function webAddress(remote: string): string {
  const known = /^(?:https:\/\/(?:[^@/]+@)?|ssh:\/\/git@|git@)(git(?:hub|lab)\.[\w.-]+)[:/](.+?)(?:\.git)?\/?$/;
  const [, host, path] = known.exec(remote.trim()) ?? [];
  return host === undefined || path === undefined ? '' : `https://${host}/${path}`;
}

/** Returns the Markdown files that are no pages, and folders that have none. */
function otherMarkdown(files: readonly string[]): readonly string[] {
  const exclude = (path: string): boolean => /(^|[\\/])(node_modules|dist|\.git)$/.test(path);
  const found = globSync('**/*.md', { cwd: ROOT, exclude }).map((path) => path.replaceAll('\\', '/'));
  return ['dist/**', ...found.filter((file) => !files.includes(file))];
}

/** What is used of a token of markdown-it. */
interface Token {
  type: string;
  tag: string;
  readonly children: Token[] | null;
  attrGet(name: string): string | null;
  attrSet(name: string, value: string): void;
}

/** What is used of markdown-it. */
interface Markdown {
  readonly core: {
    readonly ruler: {
      push(
        name: string,
        rule: (state: { readonly tokens: Token[]; readonly env: { realPath?: string; path?: string } }) => void,
      ): void;
    };
  };
}

/** Leads each link of a page to where its target is in the site, or on the web. */
function linkFiles(markdown: Markdown, files: readonly string[], { source, revision }: Surroundings): void {
  const pages = new Set(files);
  markdown.core.ruler.push('repository-links', ({ tokens, env }) => {
    const from = relative(ROOT, env.realPath ?? env.path ?? '').replaceAll('\\', '/');
    for (const { children } of tokens) {
      let text = false;
      for (const token of children ?? []) {
        if (token.type === 'link_close' && text) {
          [token.tag, text] = ['span', false];
        }
        const href = token.type === 'link_open' ? token.attrGet('href') : null;
        if (href === null) continue;
        const target = resolve(from, href, pages);
        if (target.to === 'page') token.attrSet('href', `/${sitePath(target.file)}${target.anchor}`);
        if (target.to !== 'repository') continue;
        if (source !== '') token.attrSet('href', `${source}/blob/${revision}/${target.path}${target.anchor}`);
        else {
          // nobody knows where the repository is: the text names the file
          [token.type, token.tag, text] = ['text_open', 'span', true];
          token.attrSet('href', '');
        }
      }
    }
  });
}

/** Before anything that a page loads. Styles in attributes are the colors of code. */
const POLICY =
  `<meta http-equiv="Content-Security-Policy" content="default-src 'self'; ` +
  `img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'">`;

/**
 * Returns the configuration. What VitePress writes into each page as a script becomes a file, so that a page works where
 * its policy (Content-Security-Policy, in its head) forbids scripts in the page, and everything from other hosts.
 */
export function siteConfig(around: Surroundings): object {
  const files = pageFiles(ROOT);
  const { base, source } = around;
  const scripts = new Map<string, string>();
  return {
    title: 'Vault Injection Operator',
    description: 'Injects secrets from Vault into the environment of programs that run on Kubernetes',
    lang: 'en',
    base,
    srcDir: '../..',
    outDir: '../../dist/site',
    cacheDir: 'node_modules/.cache/vitepress',
    srcExclude: otherMarkdown(files),
    rewrites: Object.fromEntries(files.map((file) => [file, sitePath(file)])),
    cleanUrls: true,
    vite: { build: { target: 'es2022' }, optimizeDeps: { esbuildOptions: { target: 'es2022' } } },
    metaChunk: true,
    markdown: {
      anchor: { slugify: slug },
      // {braces} at the end of a heading, :names: and [[toc]] are text on GitHub
      attrs: { disable: true },
      config: (markdown: Markdown) => linkFiles(markdown, files, around),
    },
    themeConfig: {
      nav: [
        { text: 'Getting started', link: address('docs/getting-started.md') },
        { text: 'My pod does not start', link: address('docs/guides/my-pod-does-not-start.md') },
        { text: 'Contents', link: address('docs/README.md') },
      ],
      sidebar: sidebar(ROOT, files),
      outline: { level: [2, 3] },
      search: { provider: 'local' },
      ...(source !== '' && {
        editLink: { pattern: `${source}/edit/main/:path`, text: 'Edit this page' },
        socialLinks: [],
      }),
    },
    // of what is built only: the development server writes scripts into its pages
    transformHtml: (html: string) =>
      html
        .replace('<meta charset="utf-8">', `$&\n    ${POLICY}`)
        .replaceAll(/<script id="([\w-]+)">([^]*?)<\/script>/g, (_, id: string, script: string) => {
          scripts.set(id, script);
          return `<script id="${id}" src="${base}assets/${id}.js"></script>`;
        }),
    buildEnd: ({ outDir }: { readonly outDir: string }) => {
      const folder = join(outDir, 'assets');
      mkdirSync(folder, { recursive: true });
      for (const [id, script] of scripts) writeFileSync(join(folder, `${id}.js`), `${script}\n`);
    },
  };
}
