/**
 * `make docs`: builds the documentation site into dist/site, and checks what was built. `--serve`: shows it while you
 * write. DOCS_BASE, DOCS_SOURCE and DOCS_REVISION are described in config.ts.
 *
 * The generator is a package of its own, because it is large: `npm ci` of the project does not install it.
 */
import { spawn } from 'node:child_process';
import { existsSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

import { surroundings } from './config.ts';
import { checkSite } from './check.ts';
import { pageFiles } from './pages.ts';

const FOLDER = import.meta.dirname;
const ROOT = join(FOLDER, '../..');
const SITE = join(ROOT, 'dist/site');
const INSTALLED = join(FOLDER, 'node_modules/.package-lock.json');

const changed = (file: string): number => (existsSync(file) ? statSync(file).mtimeMs : 0);

async function run(folder: string, program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { cwd: folder, stdio: 'inherit' });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed`);
}

if (changed(INSTALLED) < Math.max(changed(join(FOLDER, 'package-lock.json')), changed(join(FOLDER, 'package.json')))) {
  console.log('== packages of the site (once)');
  await run(FOLDER, 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  utimesSync(INSTALLED, new Date(), new Date());
}

// from the root, where the pages are: VitePress finds its own packages for them only there
const vitepress = (...args: readonly string[]): Promise<void> =>
  run(ROOT, process.execPath, [join(FOLDER, 'node_modules/vitepress/bin/vitepress.js'), ...args]);

if (process.argv.includes('--serve')) await vitepress('dev', 'build/site', '--host', '127.0.0.1');
else {
  rmSync(SITE, { recursive: true, force: true });
  await vitepress('build', 'build/site');
  const { base } = surroundings(process.env);
  const faults = checkSite(SITE, base, pageFiles(ROOT));
  for (const fault of faults) console.log(fault);
  if (faults.length > 0) process.exitCode = 1;
  else console.log(`dist/site has ${pageFiles(ROOT).length} pages; every link and anchor leads somewhere`);
}
