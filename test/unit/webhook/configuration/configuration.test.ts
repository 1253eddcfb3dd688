import { expect } from 'chai';
import { buildConfiguration, isAsDesired, withExactEntries } from '../../../../webhook/configuration/configuration.ts';
import type { ConfigurationInput, WebhookConfiguration } from '../../../../webhook/configuration/configuration.ts';

const input: ConfigurationInput = {
  target: { service: { name: 'webhook', namespace: 'vault', port: 443 } },
  caBundle: 'PEM\n',
  namespaces: { ignore: ['shop', 'bank'], fail: ['payments'] },
  labels: { 'app.kubernetes.io/name': 'vault-injection-operator' },
};

describe('the webhook configuration', () => {
  it('is, in full', () => {
    const [ignore] = buildConfiguration(input).webhooks ?? [];
    expect(ignore).to.deep.equal({
      name: 'ignore.vaultinjection.dev',
      admissionReviewVersions: ['v1'],
      clientConfig: {
        service: { name: 'webhook', namespace: 'vault', port: 443, path: '/mutate/ignore' },
        caBundle: Buffer.from('PEM\n').toString('base64'),
      },
      rules: [
        {
          apiGroups: ['apps'],
          apiVersions: ['v1'],
          operations: ['CREATE', 'UPDATE'],
          resources: ['deployments', 'statefulsets'],
          scope: 'Namespaced',
        },
      ],
      namespaceSelector: {
        matchExpressions: [
          { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['bank', 'shop'] },
          {
            key: 'kubernetes.io/metadata.name',
            operator: 'NotIn',
            values: ['kube-node-lease', 'kube-public', 'kube-system', 'vault'],
          },
        ],
      },
      objectSelector: {},
      matchConditions: [
        { name: 'is-not-being-deleted', expression: '!has(object.metadata.deletionTimestamp)' },
        {
          name: 'changes-what-injection-reads',
          expression:
            "request.operation == 'CREATE' || object.spec.template != oldObject.spec.template || " +
            '(has(object.metadata.labels) ? object.metadata.labels : {}) != ' +
            '(has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}) || ' +
            '(has(object.metadata.annotations) ? object.metadata.annotations : {}) != ' +
            '(has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {})',
        },
      ],
      matchPolicy: 'Equivalent',
      reinvocationPolicy: 'IfNeeded',
      sideEffects: 'None',
      timeoutSeconds: 5,
      failurePolicy: 'Ignore',
    });
  });

  it('has an entry only while it has namespaces', () => {
    const names = (namespaces: ConfigurationInput['namespaces']): unknown =>
      buildConfiguration({ ...input, namespaces }).webhooks?.map(({ name, failurePolicy }) => [name, failurePolicy]);
    expect(names({ ignore: [], fail: [] })).to.deep.equal([]);
    expect(names({ ignore: [], fail: ['a'] })).to.deep.equal([['fail.vaultinjection.dev', 'Fail']]);
    expect(names({ ignore: ['a'], fail: [] })).to.deep.equal([['ignore.vaultinjection.dev', 'Ignore']]);
  });

  it('is called by URL if the operator runs elsewhere, and then excludes no namespace for it', () => {
    const [ignore, fail] = buildConfiguration({ ...input, target: { url: 'https://127.0.0.1:9443/' } }).webhooks ?? [];
    expect(ignore?.clientConfig).to.include({ url: 'https://127.0.0.1:9443/mutate/ignore' });
    expect(fail?.clientConfig).to.include({ url: 'https://127.0.0.1:9443/mutate/fail' });
    expect(JSON.stringify(ignore?.namespaceSelector)).not.to.contain('"vault"');
  });

  describe('is recognised', () => {
    const desired = buildConfiguration(input);
    const changed = (change: (entry: Record<string, unknown>) => void): WebhookConfiguration => {
      const copy = structuredClone(desired);
      for (const entry of copy.webhooks ?? []) change(entry);
      return copy;
    };

    it('as it is, whatever the order of its keys and the entries of others', () => {
      const [ignore, fail] = desired.webhooks ?? [];
      const reversed = Object.fromEntries(Object.entries(ignore ?? {}).reverse()) as { name: string };
      const webhooks = [{ name: 'other.example.com' }, reversed, ...(fail ? [fail] : [])];
      expect(isAsDesired({ ...desired, webhooks }, desired)).to.equal(true);
    });

    it('as another if anything in an entry differs', () => {
      const changes: ((entry: Record<string, unknown>) => void)[] = [
        (entry) => (entry.timeoutSeconds = 30),
        (entry) => (entry.objectSelector = { matchLabels: { a: 'b' } }),
        (entry) => (entry.matchConditions = []),
        (entry) => (entry.name = 'renamed.vaultinjection.dev'),
        (entry) => (entry.somethingNew = true),
        (entry) => delete entry.failurePolicy,
      ];
      for (const change of changes) expect(isAsDesired(changed(change), desired), String(change)).to.equal(false);
    });

    it('as another if it is gone, a label is gone, or an entry is there that should not be', () => {
      expect(isAsDesired(undefined, desired)).to.equal(false);
      expect(isAsDesired({ ...desired, metadata: { ...desired.metadata, labels: {} } }, desired)).to.equal(false);
      const without = buildConfiguration({ ...input, namespaces: { ignore: [], fail: ['payments'] } });
      expect(isAsDesired(desired, without)).to.equal(false);
    });

    it('and corrected without touching the entries of others', () => {
      const other = { name: 'other.example.com' };
      const spoilt = changed((entry) => (entry.timeoutSeconds = 30));
      const mended = withExactEntries({ ...spoilt, webhooks: [other, ...(spoilt.webhooks ?? [])] }, desired);
      expect(isAsDesired(mended, desired)).to.equal(true);
      expect(mended.webhooks?.[0]).to.equal(other);
    });
  });
});
