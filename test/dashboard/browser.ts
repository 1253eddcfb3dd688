/** A headless Chromium that photographs a page. It gets no network, and nothing of the user's. */
import { execFile } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import type { FoundTool } from '../../build/tools/tools.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import type { PageSize } from './page.ts';

const PATIENCE_MS = 120_000;

/** Resolves with the page as PNG, one pixel for one of the page. Rejects with what Chromium said if there is none. */
export async function photograph(html: string, { width, height }: PageSize): Promise<Buffer> {
  const { chromium } = await ensureTools(['chromium'], { log: console.log });
  const dir = mkdtempSync(join(tmpdir(), 'picture-'));
  try {
    const page = join(dir, 'page.html');
    const png = join(dir, 'page.png');
    writeFileSync(page, html);
    const home = join(dir, 'home');
    mkdirSync(home);
    const args = [
      '--headless',
      // the page is ours, and as root there is no other way
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--hide-scrollbars',
      '--force-device-scale-factor=1',
      `--user-data-dir=${join(home, 'profile')}`,
      `--window-size=${width},${height}`,
      `--screenshot=${png}`,
      pathToFileURL(page).href,
    ];
    const env = { PATH: process.env.PATH, HOME: home, ...unpacked(chromium) };
    const { stderr } = await promisify(execFile)(chromium.path, args, { env, timeout: PATIENCE_MS });
    if (!existsSync(png)) throw new Error(`Chromium made no picture:\n${stderr}`);
    return readFileSync(png);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What one out of the cache has to be told: where its libraries and fonts are, since they are not installed. */
function unpacked({ path, origin }: FoundTool): Readonly<Record<string, string>> {
  if (origin !== 'cache') return {};
  const root = join(dirname(realpathSync(path)), '../../..');
  // some packages have a folder of their own there, such as pulseaudio/
  const folders = ['lib/*-linux-gnu*', 'usr/lib/*-linux-gnu*', 'usr/lib/*-linux-gnu*/pulseaudio'];
  const libraries = globSync(folders, { cwd: root }).map((dir) => join(root, dir));
  const fontConfiguration = join(root, 'etc/fonts');
  return {
    LD_LIBRARY_PATH: libraries.join(delimiter),
    // fontconfig looks for fonts/ below it
    XDG_DATA_HOME: join(root, 'usr/share'),
    ...(existsSync('/etc/fonts') ? {} : { FONTCONFIG_PATH: fontConfiguration }),
  };
}
