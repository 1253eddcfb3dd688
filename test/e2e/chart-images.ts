/**
 * The images that the charts name cannot be had here. This is one that stands in for all of them, under their names: a
 * bash, a busybox, and in the place of each program a script that prints its environment and waits.
 */
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';

import { buildImage, type ImageFile } from '../../build/image.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import type { Node } from '../support/node.ts';

export interface EntryPoint {
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
}

/** What the real images start, by their names without tags. */
export const ENTRY_POINTS: Readonly<Record<string, EntryPoint>> = {
  'docker.io/bitnami/postgresql': {
    entrypoint: ['/opt/bitnami/scripts/postgresql/entrypoint.sh'],
    cmd: ['/opt/bitnami/scripts/postgresql/run.sh'],
  },
  'docker.io/bitnami/postgres-exporter': { entrypoint: ['/opt/bitnami/postgres-exporter/bin/postgres_exporter'] },
  'quay.io/keycloak/keycloak': { entrypoint: ['/opt/keycloak/bin/kc.sh'] },
  'docker.io/apache/airflow': { entrypoint: ['/usr/bin/dumb-init', '--', '/entrypoint'] },
  'registry.k8s.io/git-sync/git-sync': { entrypoint: ['/git-sync'] },
  'quay.io/kiwigrid/k8s-sidecar': { entrypoint: ['python', '-u', '/app/sidecar.py'] },
  'docker.io/grafana/grafana': { entrypoint: ['/run.sh'] },
  'docker.io/bitnami/kafka': {
    entrypoint: ['/opt/bitnami/scripts/kafka/entrypoint.sh'],
    cmd: ['/opt/bitnami/scripts/kafka/run.sh'],
  },
  'docker.io/bitnami/wordpress': {
    entrypoint: ['/opt/bitnami/scripts/wordpress/entrypoint.sh'],
    cmd: ['/opt/bitnami/scripts/apache/run.sh'],
  },
  'docker.io/library/memcached': { entrypoint: ['docker-entrypoint.sh'], cmd: ['memcached'] },
  'registry.gitlab.com/gitlab-org/build/cng/certificates': { entrypoint: ['/scripts/bundle-certificates'] },
  'registry.gitlab.com/gitlab-org/build/cng/gitlab-webservice-ee': {
    entrypoint: ['/scripts/entrypoint.sh'],
    cmd: ['/scripts/process-wrapper'],
  },
  'registry.gitlab.com/gitlab-org/build/cng/gitlab-workhorse-ee': {
    entrypoint: ['/scripts/entrypoint.sh'],
    cmd: ['/scripts/start-workhorse'],
  },
};

const PROGRAM = `#!/bin/busybox sh
env
trap 'exit 0' TERM INT
while true; do sleep 0.5; done
`;
const PROGRAMS = [
  ...['/opt/bitnami/scripts/postgresql/entrypoint.sh', '/opt/bitnami/postgres-exporter/bin/postgres_exporter'],
  ...['/bin/redis-server', '/bin/redis_exporter', '/opt/keycloak/bin/kc.sh', '/git-sync', '/bin/python', '/run.sh'],
  ...['/opt/bitnami/scripts/kafka/entrypoint.sh', '/opt/bitnami/scripts/wordpress/entrypoint.sh'],
  ...['/bin/apache_exporter', '/bin/docker-entrypoint.sh', '/clean-logs', '/scripts/process-wrapper'],
  '/scripts/start-workhorse',
];

/** Programs that end: /bin/done, and what asks whether another runs. */
const DONE = '#!/bin/busybox sh\nenv\n';
const DONE_PROGRAMS = [
  ...['/bin/pg_isready', '/bin/check-port', '/scripts/bundle-certificates', '/scripts/wait-for-deps'],
  ...['/scripts/healthcheck', '/etc/grafana/download_dashboards.sh'],
];

const SCRIPTS: Readonly<Record<string, string>> = {
  '/bin/program': PROGRAM,
  '/bin/done': DONE,
  '/usr/bin/dumb-init': '#!/bin/busybox sh\nshift\nexec "$@"\n',
  '/entrypoint': '#!/bin/busybox sh\nexec "$@"\n',
  '/scripts/entrypoint.sh': '#!/bin/busybox sh\nexec "$@"\n',
  '/bin/airflow': `#!/bin/busybox sh
case "$*" in *check-migrations* | jobs* | *ping) exec /bin/done ;; esac
exec /bin/program
`,
  // a server that has the secret for its password does not know the text of a reference
  '/bin/redis-cli': '#!/bin/busybox sh\ncase "$REDISCLI_AUTH" in vault:*) echo WRONGPASS ;; *) echo PONG ;; esac\n',
};

const COMMANDS = [
  ...[
    'cat',
    'chmod',
    'chown',
    'cp',
    'echo',
    'env',
    'false',
    'find',
    'id',
    'ls',
    'mkdir',
    'pgrep',
    'pkill',
    'sh',
    'sleep',
  ],
  ...['timeout', 'true', 'xargs'],
];

/** Makes the node know images of these names, tags included. */
export async function importStandIns(node: Node, names: Iterable<string>): Promise<void> {
  const files = await standInFiles();
  for (const [index, name] of [...names].entries()) {
    const config = { ...ENTRY_POINTS[name.slice(0, name.lastIndexOf(':'))], env: ['PATH=/bin:/usr/bin'] };
    await node.importImage(buildImage({ name, files, config }, join(node.dir, 'images', `stand-in-${index}.tar`)));
  }
}

async function standInFiles(): Promise<ImageFile[]> {
  const { busybox } = await ensureTools(['busybox']);
  const bash = '/bin/bash';
  const libraries = execFileSync('ldd', [bash], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  return [
    { path: '/bin/busybox', source: busybox.path },
    ...COMMANDS.map((command) => ({ path: `/bin/${command}`, target: 'busybox' })),
    ...[bash, ...libraries].map((path) => ({ path, source: realpathSync(path) })),
    ...Object.entries(SCRIPTS).map(([path, content]) => ({ path, content })),
    ...PROGRAMS.map((path) => ({ path, target: '/bin/program' })),
    ...DONE_PROGRAMS.map((path) => ({ path, target: '/bin/done' })),
    { path: '/etc/passwd', mode: 0o644, content: 'root:x:0:0:root:/:/bin/sh\n' },
  ];
}
