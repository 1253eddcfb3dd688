/** A real PostgreSQL on loopback, empty, for one test run. */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, globSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './ports.ts';
import type { Log } from '../../build/tools/go-build.ts';
import { ensureTools, type FoundTool } from '../../build/tools/tools.ts';
import { openWorkspace } from './workspace.ts';

export interface DatabaseUser {
  readonly username: string;
  readonly password: string;
}

export interface Postgres {
  /** 127.0.0.1 */
  readonly host: string;
  readonly port: number;
  /** May do everything, with the database postgres and any other. */
  readonly superuser: DatabaseUser;
  /** Path of psql, and what it needs in its environment beside what says whom to log in as. */
  readonly psql: { readonly path: string; readonly env: Readonly<Record<string, string>> };
  /** The rows of a query as psql prints them, columns with | between them; rejects with what PostgreSQL says. */
  query(sql: string, user?: DatabaseUser): Promise<string[]>;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
// PostgreSQL refuses to run as root; "nobody" is there on every system.
const NOBODY = 65534;

/** Starts PostgreSQL and resolves when it answers. */
export async function startPostgres(options: { readonly log?: Log } = {}): Promise<Postgres> {
  const { postgres } = await ensureTools(['postgres'], options);
  const workspace = await openWorkspace('postgres');
  try {
    const { programs, env } = install(postgres, workspace.dir);
    const superuser = { username: 'postgres', password: 'of-this-test' };
    const data = join(workspace.dir, 'data');
    const passwordFile = workspace.write('password', superuser.password);
    mkdirSync(data, { mode: 0o700 });
    giveAway(workspace.dir, data, passwordFile);
    const initdb = [
      ...['-D', data, '--username', superuser.username, '--pwfile', passwordFile],
      ...['--auth', 'scram-sha-256', '--no-locale', '--encoding', 'UTF8', '--no-sync'],
    ];
    const [program = '', ...args] = unprivileged([join(programs, 'initdb'), ...initdb]);
    execFileSync(program, args, { cwd: data, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });

    const port = await freePort();
    // No socket in the file system, and nothing that would outlive a killed server: no segment in /dev/shm.
    const flags = [
      ...['listen_addresses=' + HOST, `port=${port}`, 'unix_socket_directories=', 'fsync=off'],
      'dynamic_shared_memory_type=mmap',
    ].flatMap((setting) => ['-c', setting]);
    const server = workspace.start('postgres', unprivileged([join(programs, 'postgres'), '-D', data, ...flags]), env);
    const psql = { path: join(programs, 'psql'), env };
    const query = (sql: string, user: DatabaseUser = superuser): Promise<string[]> => runPsql(psql, port, user, sql);
    const answers = (): Promise<boolean> =>
      query('select 1').then(
        () => true,
        () => false,
      );
    await workspace.waitFor(server, 'it answered', answers);
    return {
      host: HOST,
      port,
      superuser,
      psql,
      query,
      stop: async () => {
        // Fast shutdown: it then also releases its System V segment.
        await server.stop('SIGINT');
        await workspace.close();
      },
    };
  } catch (error) {
    await workspace.close();
    throw error;
  }
}

/** Where the programs can be run from, and with what. */
function install(
  { path, origin }: FoundTool,
  dir: string,
): { readonly programs: string; readonly env: Readonly<Record<string, string>> } {
  const programs = dirname(realpathSync(path));
  if (origin !== 'cache') return { programs, env: {} };
  // Out of the cache: nobody but its owner may look into that. PostgreSQL finds its own files beside wherever it is.
  const root = join(dirname(path), 'root');
  const copy = join(dir, 'root');
  cpSync(root, copy, { recursive: true, verbatimSymlinks: true });
  const libraries = globSync(['lib/*-linux-gnu*', 'usr/lib/*-linux-gnu*'], { cwd: copy });
  const libraryPath = libraries.map((library) => join(copy, library)).join(':');
  return { programs: join(copy, relative(realpathSync(root), programs)), env: { LD_LIBRARY_PATH: libraryPath } };
}

const isRoot = process.getuid?.() === 0;

function giveAway(dir: string, ...paths: readonly string[]): void {
  if (!isRoot) return;
  chmodSync(dir, 0o711);
  for (const path of paths) chownSync(path, NOBODY, NOBODY);
}

function unprivileged(command: readonly string[]): readonly string[] {
  return isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--', ...command] : command;
}

async function runPsql(psql: Postgres['psql'], port: number, user: DatabaseUser, sql: string): Promise<string[]> {
  const args = ['--no-psqlrc', '--tuples-only', '--no-align', '-v', 'ON_ERROR_STOP=1', '-c', sql];
  const connection = { PGHOST: HOST, PGPORT: String(port), PGDATABASE: 'postgres' };
  const env = { ...process.env, ...psql.env, ...connection, PGUSER: user.username, PGPASSWORD: user.password };
  const { stdout } = await promisify(execFile)(psql.path, args, { env });
  return stdout.trimEnd().split('\n').filter(Boolean);
}
