import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import { RuleCache } from '../../../../operator/policies/rule-cache.ts';
import type { CaRef } from '../../../../core/policy/rule.ts';
import { Authorities } from '../../../../operator/vault/authorities.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';
import { CA as PEM } from '../../../support/example-ca.ts';
import { MemoryApi } from '../../../support/memory-api.ts';

const CONFIG_MAP: CaRef = { kind: 'ConfigMap', name: 'vault-ca', key: 'ca.crt' };
const SECRET: CaRef = { ...CONFIG_MAP, kind: 'Secret' };

describe('Authorities', () => {
  let api: MemoryApi;
  let rules: RuleCache;
  let clock: ManualClock;
  let changed: string[];
  let authorities: Authorities;

  beforeEach(() => {
    api = new MemoryApi();
    rules = new RuleCache();
    clock = new ManualClock();
    changed = [];
    authorities = new Authorities({ client: api, rules, clock, random: () => 0.5, logger: testLog().logger });
    authorities.onChange((policy) => changed.push(policy));
  });
  afterEach(() => authorities.stop());

  const use = (caRef: CaRef | undefined, name = 'shop'): boolean =>
    rules.set(ruleWith({ policy: { name }, vault: { tls: { ...(caRef && { caRef }) } } }));

  async function store(
    data: Record<string, string>,
    { kind, name }: CaRef = CONFIG_MAP,
    binaryData: Record<string, string> = {},
  ): Promise<void> {
    const resource = {
      group: '',
      version: 'v1',
      plural: kind === 'Secret' ? 'secrets' : 'configmaps',
      namespace: 'shop',
    };
    const object = { apiVersion: 'v1', kind, metadata: { name, namespace: 'shop' }, data, binaryData };
    await ((await api.get(resource, name)) === undefined
      ? api.create(resource, object)
      : api.replace(resource, object));
  }

  const reads = (): number => api.calls.filter((call) => call === 'get vault-ca').length;

  it('reads an object once for all policies of its namespace, and reports it', async () => {
    await store({ 'ca.crt': PEM });
    const before = reads();
    use(CONFIG_MAP);
    use(CONFIG_MAP, 'other');
    expect(authorities.of('shop', CONFIG_MAP), 'not read yet').to.equal(undefined);
    await settle();
    expect(authorities.of('shop', CONFIG_MAP)).to.deep.equal({ caBundle: PEM });
    expect(reads() - before).to.equal(1);
    expect(changed, 'each of them').to.deep.equal(['shop/other', 'shop/shop']);
    expect(authorities.of('bank', CONFIG_MAP), 'of another namespace').to.equal(undefined);
  });

  it('decodes the data of a Secret', async () => {
    await store({ 'ca.crt': Buffer.from(PEM).toString('base64') }, SECRET);
    use(SECRET);
    await settle();
    expect(authorities.of('shop', SECRET)).to.deep.equal({ caBundle: PEM });
  });

  it('finds what is not UTF-8 in the other data of a ConfigMap, where kubectl puts it', async () => {
    const latin1 = Buffer.from(`# f\u00fcr uns\n${PEM}`, 'latin1');
    await store({}, CONFIG_MAP, { 'ca.crt': latin1.toString('base64') });
    use(CONFIG_MAP);
    await settle();
    expect(authorities.of('shop', CONFIG_MAP)).to.deep.equal({ caBundle: latin1.toString('utf8') });
  });

  it('looks again every five minutes, and reports only changes', async () => {
    await store({ 'ca.crt': PEM });
    use(CONFIG_MAP);
    await settle();
    await clock.advance(300_000);
    expect(changed).to.deep.equal(['shop/shop']);
    await store({ 'ca.crt': `${PEM}${PEM}` });
    await clock.advance(299_999);
    expect(authorities.of('shop', CONFIG_MAP)).to.deep.equal({ caBundle: PEM });
    await clock.advance(1);
    expect(authorities.of('shop', CONFIG_MAP)).to.deep.equal({ caBundle: `${PEM}${PEM}` });
    expect(changed).to.deep.equal(['shop/shop', 'shop/shop']);
  });

  it('forgets what no rule names any more', async () => {
    await store({ 'ca.crt': PEM });
    use(CONFIG_MAP);
    await settle();
    const before = reads();
    use(undefined);
    expect(authorities.of('shop', CONFIG_MAP)).to.equal(undefined);
    await clock.advance(3_600_000);
    expect(reads()).to.equal(before);
  });

  const unread: readonly [what: string, data: Record<string, string> | undefined, message: string][] = [
    ['there is no object', undefined, 'ConfigMap vault-ca with the CA certificates of Vault does not exist: create it'],
    [
      'it has no such key',
      { ca: PEM },
      'ConfigMap vault-ca has no key ca.crt with the CA certificates of Vault: add it',
    ],
    [
      'it holds something else',
      { 'ca.crt': 'canary' },
      'key ca.crt of ConfigMap vault-ca: it contains no certificate; write complete certificates in PEM format',
    ],
  ];
  for (const [what, data, message] of unread) {
    it(`says what to do if ${what}`, async () => {
      if (data !== undefined) await store(data);
      use(CONFIG_MAP);
      await settle();
      expect(authorities.of('shop', CONFIG_MAP)).to.deep.equal({ unusable: message });
    });
  }

  it('says what to do if it may not read a Secret, and reads it once it may', async () => {
    api.before = () => {
      throw new ApiError(403, 'Forbidden', 'no');
    };
    use(SECRET);
    await settle();
    const authority = authorities.of('shop', SECRET);
    expect(authority).to.have.property('unread').that.contains('may not read Secret vault-ca').and.contains('Role');
    api.before = () => undefined;
    await store({ 'ca.crt': Buffer.from(PEM).toString('base64') }, SECRET);
    await clock.advance(60_000);
    expect(authorities.of('shop', SECRET)).to.deep.equal({ caBundle: PEM });
  });

  it('keeps what it knows while the API server does not answer, and retries', async () => {
    await store({ 'ca.crt': PEM });
    use(CONFIG_MAP);
    await settle();
    api.before = () => {
      throw new ApiError(0, 'Unreachable', 'no answer');
    };
    await clock.advance(300_000);
    expect(authorities.of('shop', CONFIG_MAP)).to.deep.equal({ caBundle: PEM });
    api.before = () => undefined;
    await store({ 'ca.crt': `${PEM}${PEM}` });
    await clock.advance(60_000);
    expect(authorities.of('shop', CONFIG_MAP)).to.deep.equal({ caBundle: `${PEM}${PEM}` });
  });
});
