import { expect } from 'chai';

import { shortHash } from '../../../../core/hash.ts';
import { annotation } from '../../../../core/injection/annotations.ts';
import type { Use } from '../../../../core/workload/restarts.ts';
import { newerText, startText, versionsText } from '../../../../core/workload/versions.ts';
import { wishOf } from '../../../../operator/rotation/baselines.ts';
import { isHiddenIn } from '../../../../operator/rotation/hidden-paths.ts';
import { rotatingOf } from '../../../../operator/rotation/rotating.ts';
import type { MetadataAnswer } from '../../../../operator/vault/metadata-port.ts';

const HELD = 'secret/data/held/db';
const WRITTEN = 'secret/data/shop/db';
const NAME = `=${shortHash(HELD)}`;

describe('a path that only ConfigMaps name', () => {
  const use = (versions: object, hiddenReads: readonly string[] = [HELD]): Use => ({
    key: 'shop/Deployment/web',
    reads: [HELD, WRITTEN],
    hiddenReads,
    startedWith: [HELD, WRITTEN],
    annotations: { [annotation.versions]: JSON.stringify(versions) },
  });
  const wish = (before: Use): ReturnType<typeof wishOf> => wishOf(before, () => 4);

  it('is a hash in the annotation, and a ConfigMap in the Event', () => {
    const found = wish(use({ [NAME]: 3, [WRITTEN]: 4 }));
    expect(found?.versions).to.deep.equal({ [NAME]: 4, [WRITTEN]: 4 });
    expect(found?.baselineOnly).to.equal(false);
    const before = versionsText({ [NAME]: 3, [WRITTEN]: 4 });
    expect(newerText(found?.versions ?? {}, before)).to.equal(
      'restarting: a secret that a ConfigMap refers to has version 4 (pods started with version 3)',
    );
    expect(startText(versionsText({ [NAME]: 4 }))).to.equal(
      'restarting: pods should start with version 4 of a secret that a ConfigMap refers to',
    );
  });

  it('restarts nothing when it becomes one, or ceases to be', () => {
    const hidden = wish(use({ [HELD]: 4, [WRITTEN]: 4 }));
    expect(hidden).to.deep.include({ versions: { [NAME]: 4, [WRITTEN]: 4 }, baselineOnly: true });
    const written = wish(use({ [NAME]: 4, [WRITTEN]: 4 }, []));
    expect(written).to.deep.include({ versions: { [HELD]: 4, [WRITTEN]: 4 }, baselineOnly: true });
  });

  it('does not miss a version that came meanwhile', () => {
    expect(wish(use({ [HELD]: 3, [WRITTEN]: 4 }))?.baselineOnly).to.equal(false);
  });

  it('needs nothing if nothing is newer', () => expect(wish(use({ [NAME]: 4, [WRITTEN]: 4 }))).to.equal(undefined));

  it('is counted in the condition of the policy', () => {
    const isHidden = isHiddenIn([use({})], new Map([[WRITTEN, 'secret/metadata/shop/db']]));
    const answers = new Map<string, MetadataAnswer>(
      ['secret/metadata/held/db', 'secret/metadata/shop/db'].map((path) => [path, { kind: 'Forbidden' }]),
    );
    const none = { entry: 'main', failure: undefined, outside: [], waiting: 0, omitted: 0 };
    const facts = { ...none, intervalMs: 1_000, answers, unwatchable: ['pki/held'], isHidden };
    expect(rotatingOf(facts).message).to.equal(
      'the operator\'s role may not read secret/metadata/shop/db, and 1 path in ConfigMaps; grant it the capability "read" there' +
        '; without versions: 1 path in ConfigMaps',
    );
  });

  it('is counted where the bounds of the identity do not allow it', () => {
    const isHidden = isHiddenIn([use({})], new Map());
    const facts = {
      entry: 'main',
      intervalMs: 1_000,
      failure: undefined,
      answers: new Map(),
      unwatchable: [],
      waiting: 0,
      omitted: 0,
    };
    expect(rotatingOf({ ...facts, outside: [HELD, WRITTEN], isHidden }).message).to.equal(
      "the entry main of the operator's setting vaultIdentities does not allow 2 paths: secret/data/shop/db, and 1 path in ConfigMaps",
    );
  });

  it('is shown if the manifest of another workload names it', () => {
    const other: Use = { key: 'shop/Deployment/other', reads: [HELD], startedWith: [], annotations: {} };
    const isHidden = isHiddenIn([use({}), other], new Map([[HELD, 'secret/metadata/held/db']]));
    expect([HELD, 'secret/metadata/held/db'].map(isHidden)).to.deep.equal([false, false]);
  });
});
