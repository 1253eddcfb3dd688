/** A real registry on loopback (Debian's docker-registry), empty, for one test run. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { FakeTokenServer } from './fake-token-server.ts';
import { createAuthority, type Authority } from './pki.ts';
import { freePort } from './ports.ts';
import type { Log } from '../../build/tools/go-build.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import { openWorkspace, type Daemon } from './workspace.ts';

export interface RegistryUser {
  readonly username: string;
  readonly password: string;
}

/** May pull and push. The registry knows no rights: it is open to a user as a whole. */
export const REGISTRY_USER: RegistryUser = { username: 'puller', password: 'of-this-test' };

// bcrypt, which is all that the registry takes and Node has no function for: crypt("of-this-test", "$2y$05$…") of perl.
const HTPASSWD = 'puller:$2y$05$abcdefghijklmnopqrstuudhs.Xjv0oyAcMzJ3HXuv8bN5.FMqNhi\n';

export interface RegistryOptions {
  /** Who has access: everybody (the default), the users of a password file, or those with a token. */
  readonly auth?: 'none' | 'htpasswd' | FakeTokenServer;
  /** Signs its certificate, which is for 127.0.0.1; default: a new one. */
  readonly authority?: Authority;
  readonly log?: Log;
}

export interface LocalRegistry {
  /** Such as 127.0.0.1:23456: what images in it begin with. */
  readonly host: string;
  /** https:// and the host. */
  readonly url: string;
  /** PEM of who signed its certificate. */
  readonly ca: string;
  /** What it logged so far; a line for each request among it. */
  log(): string;
  /** Ends the process and keeps address and images. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a registry with TLS and resolves when it answers. */
export async function startRegistry(options: RegistryOptions = {}): Promise<LocalRegistry> {
  const { auth = 'none' } = options;
  const { 'docker-registry': tool } = await ensureTools(
    ['docker-registry'],
    options.log === undefined ? {} : { log: options.log },
  );
  const authority = options.authority ?? (await createAuthority('registry-ca'));
  const workspace = await openWorkspace('registry');
  try {
    const port = await freePort();
    const host = `127.0.0.1:${port}`;
    const pair = await authority.server('registry', ['127.0.0.1']);
    const storage = join(workspace.dir, 'images');
    mkdirSync(storage);
    // JSON is YAML
    const config = {
      version: 0.1,
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: storage } },
      http: {
        addr: host,
        secret: 'of-this-test',
        tls: {
          certificate: workspace.write('tls.crt', pair.certificate),
          key: workspace.write('tls.key', pair.key),
        },
      },
      ...authOf(auth, (name, content) => workspace.write(name, content)),
    };
    const file = workspace.write('config.yml', JSON.stringify(config));
    const agent = new Agent({ connect: { ca: authority.certificate } });
    let daemon: Daemon;
    const start = async (): Promise<void> => {
      daemon = workspace.start('registry', [tool.path, 'serve', file]);
      await workspace.waitFor(daemon, 'it answered', () => answers(`https://${host}/v2/`, agent));
    };
    await start();
    return {
      host,
      url: `https://${host}`,
      ca: authority.certificate,
      log: () => daemon.logTail(Number.MAX_SAFE_INTEGER),
      pause: () => daemon.stop(),
      resume: start,
      stop: async () => {
        await agent.destroy();
        await workspace.close();
      },
    };
  } catch (error) {
    await workspace.close();
    throw error;
  }
}

function authOf(auth: 'none' | 'htpasswd' | FakeTokenServer, write: (name: string, content: string) => string): object {
  if (auth === 'none') return {};
  if (auth === 'htpasswd') return { auth: { htpasswd: { realm: 'test', path: write('htpasswd', HTPASSWD) } } };
  const { realm, service, issuer } = auth;
  return { auth: { token: { realm, service, issuer, rootcertbundle: write('issuer.pem', auth.rootCertificate) } } };
}

async function answers(url: string, dispatcher: Agent): Promise<boolean> {
  try {
    const { statusCode, body } = await request(url, { dispatcher });
    await body.dump();
    return statusCode === 200 || statusCode === 401;
  } catch {
    return false;
  }
}
