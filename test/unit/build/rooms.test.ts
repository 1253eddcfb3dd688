import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { expect } from 'chai';

import { forbiddenImports, ROOMS } from '../../../build/rooms.ts';

/** A file, what it imports, and what is reported about it; '' if nothing is. */
const IMPORTS: readonly (readonly [file: string, from: string, says: string])[] = [
  ['core/duration.ts', '../kube/clock.ts', 'core imports from no other room'],
  ['core/json.ts', './policy/rule.ts', 'core imports from no other room'],
  ['core/kinds.ts', './policy/policy.generated.ts', ''],
  ['core/policy/policy.generated.ts', './rule.ts', 'core imports from no other room'],
  ['core/policy/match.ts', '../injection/names.ts', 'core/policy imports from core'],
  ['core/injection/inject.ts', '../workload/plan.ts', 'core/injection imports from core, core/policy'],
  ['core/workload/plan.ts', '../injection/names.ts', ''],
  ['kube/log.ts', '../core/policy/rule.ts', 'kube imports from core'],
  ['webhook/server.ts', '../operator/settings.ts', 'webhook imports from core'],
  ['webhook/review.ts', '../kube/clock.ts', ''],
  ['operator/crd.ts', '../webhook/lru.ts', 'operator imports from core'],
  ['operator/metrics.ts', './main.ts', 'operator imports from core'],
  ['operator/health-server.ts', './composition/parts.ts', 'operator imports from core'],
  ['operator/main.ts', '../webhook/lru.ts', ''],
  ['operator/composition/parts.ts', '../settings.ts', ''],
  ['build/lint.ts', '../operator/settings.ts', 'build imports from core'],
  ['build/generate/settings.ts', '../../operator/settings.ts', ''],
  ['build/generate/reasons.ts', '../../operator/settings.ts', 'of the generators only settings.ts, metrics.ts and'],
  ['build/images.ts', './generate/settings.ts', 'build imports from core'],
  ['build/image.ts', '../test/support/ports.ts', 'build imports from core'],
  ['operator/vault/transport.ts', '../../test/support/ports.ts', 'operator imports from core'],
  ['test/unit/some.test.ts', '../../operator/main.ts', ''],

  ['core/pem.ts', 'node:crypto', ''],
  ['core/object.ts', 'node:fs', 'core imports ajv, node:crypto and node:util'],
  ['core/policy/schema.ts', 'ajv', ''],
  ['core/policy/compile.ts', 'yaml', 'core imports ajv, node:crypto and node:util'],
  ['kube/operator-adapter.ts', '@dot-i/k8s-operator', ''],
  ['kube/event-feed.ts', '@dot-i/k8s-operator', 'only kube/operator-adapter.ts imports'],
  ['operator/vault/node-vault-client.ts', 'node-vault', ''],
  ['operator/rotation/rotation.ts', 'node-vault', 'only operator/vault/ imports node-vault'],
  ['kube/informer.ts', 'type pino', ''],
  ['kube/work-queue.ts', 'pino', 'pino is imported as a type'],
  ['operator/composition/logger.ts', 'pino', ''],
  ['webhook/look-ups.ts', 'chai', 'what the program imports is in dependencies'],

  // said once of a circle
  ['operator/policies/one.ts', 'type ./other.ts', 'files that import each other'],
  ['operator/policies/other.ts', './one.ts', ''],
];

describe('the rooms', () => {
  let root: string;
  let found: readonly string[];

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'rooms-'));
    write('package.json', JSON.stringify({ dependencies: { pino: '*' }, devDependencies: { chai: '*' } }));
    for (const name of ['chai', 'pino']) {
      write(`node_modules/${name}/package.json`, JSON.stringify({ main: 'index.js' }));
      write(`node_modules/${name}/index.js`);
    }
    for (const [file, from] of IMPORTS) {
      const type = from.startsWith('type ');
      write(file, `import ${type ? 'type ' : ''}{ it } from '${type ? from.slice('type '.length) : from}';\nit();\n`);
    }
    for (const file of ['core/policy/rule.ts', 'core/injection/names.ts', 'kube/clock.ts', 'webhook/lru.ts'])
      write(file);
    for (const file of ['operator/settings.ts', 'test/support/ports.ts']) write(file);
    found = await forbiddenImports(root);
  });

  after(() => rmSync(root, { recursive: true }));

  function write(file: string, text = 'export const it = 1;\n'): void {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }

  for (const [file, from, says] of IMPORTS) {
    it(`${says === '' ? 'let' : 'do not let'} ${file} import ${from}`, () => {
      const about = found.filter((sentence) => sentence.startsWith(`${file} → `));
      expect(about).to.have.length(says === '' ? 0 : 1);
      if (says !== '') expect(about[0]).to.contain(`: ${says}`);
    });
  }

  it('only list rooms that exist', () => {
    const names = Object.keys(ROOMS);
    for (const { imports } of Object.values(ROOMS)) expect(names).to.include.members([...imports]);
  });
});
