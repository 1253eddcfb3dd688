import { expect } from 'chai';
import { WORKLOAD_KINDS } from '../../../../core/kinds.ts';
import type { WorkloadKind } from '../../../../core/kinds.ts';
import { buildConfiguration, entryKeyOf } from '../../../../webhook/configuration/configuration.ts';
import type { ConfigurationInput, WebhookConfiguration } from '../../../../webhook/configuration/configuration.ts';
import {
  isAsDesired,
  otherInstallation,
  withExactEntries,
  withNarrowing,
} from '../../../../webhook/configuration/observed.ts';
import { matchConditions, rowsOf } from '../../../../webhook/configuration/workload-rules.ts';
import { DEFAULT_KINDS, kindsIn } from '../../../support/kind-policies.ts';

const input: ConfigurationInput = {
  target: { service: { name: 'webhook', namespace: 'vault', port: 443 } },
  installation: 'vault',
  caBundle: 'PEM\n',
  sent: { ignore: kindsIn(['shop', 'bank']), fail: kindsIn(['payments']) },
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
          resources: ['deployments', 'statefulsets', 'daemonsets'],
          scope: 'Namespaced',
        },
        {
          apiGroups: ['batch'],
          apiVersions: ['v1'],
          operations: ['CREATE', 'UPDATE'],
          resources: ['cronjobs', 'jobs'],
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
      matchConditions: matchConditions(rowsOf(DEFAULT_KINDS)),
      matchPolicy: 'Equivalent',
      reinvocationPolicy: 'IfNeeded',
      sideEffects: 'None',
      timeoutSeconds: 5,
      failurePolicy: 'Ignore',
    });
  });

  it('calls every entry at a path with the token', () => {
    const paths = buildConfiguration({ ...input, token: 'f'.repeat(40) }).webhooks?.map(
      ({ clientConfig }) => clientConfig,
    );
    expect(JSON.stringify(paths)).to.match(/\/mutate\/f{40}\/ignore.*\/mutate\/f{40}\/fail.*\/mutate\/f{40}\/probe/);
  });

  it('has an entry only while it has namespaces', () => {
    const names = (ignore: readonly string[], fail: readonly string[]): unknown =>
      buildConfiguration({ ...input, sent: { ignore: kindsIn(ignore), fail: kindsIn(fail) } }).webhooks?.map(
        ({ name, failurePolicy }) => [name, failurePolicy],
      );
    const probe = ['probe.vaultinjection.dev', 'Fail'];
    expect(names([], [])).to.deep.equal([probe]);
    expect(names([], ['a'])).to.deep.equal([['fail.vaultinjection.dev', 'Fail'], probe]);
    expect(names(['a'], [])).to.deep.equal([['ignore.vaultinjection.dev', 'Ignore'], probe]);
  });

  describe('has entries of exactly the kinds that policies name in their namespaces', () => {
    const entries = (sent: ConfigurationInput['sent']): unknown =>
      buildConfiguration({ ...input, sent })
        .webhooks?.slice(0, -1)
        .map(({ name, rules, namespaceSelector, failurePolicy }) => [
          name,
          failurePolicy,
          (rules as { resources: string[] }[]).flatMap(({ resources }) => resources).join(),
          (namespaceSelector as { matchExpressions: Term[] }).matchExpressions[0]?.values?.join(),
        ]);

    it('with one for namespaces that name the same, whatever the failure policy for other kinds', () => {
      const fail = new Map([...kindsIn(['old', 'elder'], ['Deployment', 'StatefulSet']), ...kindsIn(['new'])]);
      expect(entries({ ignore: kindsIn(['old'], ['CronJob']), fail })).to.deep.equal([
        ['cronjobs.ignore.vaultinjection.dev', 'Ignore', 'cronjobs', 'old'],
        ['fail.vaultinjection.dev', 'Fail', 'deployments,statefulsets,daemonsets,cronjobs,jobs', 'new'],
        ['deployments-statefulsets.fail.vaultinjection.dev', 'Fail', 'deployments,statefulsets', 'elder,old'],
      ]);
    });

    it('with those that no policy is for by default apart, so that they are an addition', () => {
      const fail = kindsIn(['shop'], ['Pod', 'ReplicaSet', ...DEFAULT_KINDS]);
      expect(entries({ ignore: kindsIn([]), fail })).to.deep.equal([
        ['fail.vaultinjection.dev', 'Fail', 'deployments,statefulsets,daemonsets,cronjobs,jobs', 'shop'],
        ['replicasets-pods.fail.vaultinjection.dev', 'Fail', 'replicasets,pods', 'shop'],
      ]);
    });

    it('which fit into etcd with 5,000 namespaces, whatever they name', () => {
      const random = numbers();
      const sent = { ignore: new Map<string, Set<WorkloadKind>>(), fail: new Map<string, Set<WorkloadKind>>() };
      for (let at = 0; at < 5_000; at++) {
        const name = `namespace-${at}`.padEnd(40, 'x');
        const [ignore, fail] = [new Set<WorkloadKind>(), new Set<WorkloadKind>()];
        for (const kind of WORKLOAD_KINDS) {
          const one = [ignore, fail, undefined][Math.floor(random() * 3)];
          one?.add(kind);
        }
        sent.ignore.set(name, ignore);
        sent.fail.set(name, fail);
      }
      const caBundle = `-----BEGIN CERTIFICATE-----\n${'A'.repeat(800)}\n-----END CERTIFICATE-----\n`.repeat(2);
      const configuration = buildConfiguration({ ...input, caBundle, sent });
      expect(JSON.stringify(configuration).length).to.be.below(1_100_000);
      const names = configuration.webhooks?.map(({ name }) => name) ?? [];
      expect(new Set(names).size)
        .to.equal(names.length)
        .and.at.most(2 * (31 + 7) + 1);
      for (const name of names)
        expect(name)
          .to.match(/^[a-z-]+(\.[a-z-]+)+$/)
          .and.have.length.below(254);
    });
  });

  it('knows its entries by their names, and no others', () => {
    const names = ['fail', 'pods.fail', 'deployments-statefulsets.ignore', 'probe'].map(
      (one) => `${one}.vaultinjection.dev`,
    );
    expect(names.map(entryKeyOf)).to.deep.equal(['fail', 'fail', 'ignore', 'probe']);
    const others = ['pods.probe.vaultinjection.dev', 'other.vaultinjection.dev', 'unfail.vaultinjection.dev', 'fail'];
    expect(others.map(entryKeyOf)).to.deep.equal(others.map(() => undefined));
  });

  it('has an entry that matches the probe and nothing else', () => {
    const probe = buildConfiguration(input).webhooks?.at(-1);
    expect(probe).to.deep.include({
      name: 'probe.vaultinjection.dev',
      clientConfig: {
        service: { name: 'webhook', namespace: 'vault', port: 443, path: '/mutate/probe' },
        caBundle: Buffer.from('PEM\n').toString('base64'),
      },
      rules: [
        {
          apiGroups: [''],
          apiVersions: ['v1'],
          operations: ['CREATE', 'UPDATE'],
          resources: ['configmaps'],
          scope: 'Namespaced',
        },
      ],
      namespaceSelector: {
        matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['vault'] }],
      },
      objectSelector: { matchLabels: { 'vaultinjection.dev/probe': 'true' } },
      matchConditions: [
        { name: 'is-the-probe', expression: "object.metadata.name == 'vault-injection-operator-probe'" },
      ],
      sideEffects: 'None',
      failurePolicy: 'Fail',
    });
  });

  describe('belongs to', () => {
    const marked = (installation: string): WebhookConfiguration => buildConfiguration({ ...input, installation });
    const unmarked = (namespace: string): WebhookConfiguration => {
      const built = buildConfiguration({ ...input, target: { service: { name: 'webhook', namespace, port: 443 } } });
      return { ...built, metadata: { name: built.metadata.name } };
    };
    const cases: readonly [string, WebhookConfiguration, string | undefined][] = [
      ['this installation, by its mark', marked('vault'), undefined],
      ['another one, by its mark', marked('elsewhere'), 'elsewhere'],
      ['nobody, if the mark is empty', { ...marked(''), webhooks: [] }, undefined],
      ['this one, by the Service that an older version wrote', unmarked('vault'), undefined],
      ['another one, by the Service that an older version wrote', unmarked('elsewhere'), 'elsewhere'],
      [
        'nobody who could be known, if an older version wrote a URL',
        { ...unmarked('x'), webhooks: [{ name: 'ignore.vaultinjection.dev', clientConfig: { url: 'https://a' } }] },
        undefined,
      ],
      [
        'nobody, without entries of the operator',
        { ...unmarked('x'), webhooks: [{ name: 'other.example.com' }] },
        undefined,
      ],
    ];
    for (const [whom, observed, expected] of cases) {
      it(whom, () => {
        expect(otherInstallation(observed, 'vault')).to.equal(expected);
      });
    }
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
      const [ignore, ...rest] = desired.webhooks ?? [];
      const reversed = Object.fromEntries(Object.entries(ignore ?? {}).reverse()) as { name: string };
      const webhooks = [{ name: 'other.example.com' }, reversed, ...rest];
      expect(isAsDesired({ ...desired, webhooks }, desired)).to.equal(true);
    });

    it('as another if anything in an entry differs', () => {
      const changes: ((entry: Record<string, unknown>) => void)[] = [
        (entry) => (entry.timeoutSeconds = 30),
        (entry) => (entry.objectSelector = undefined),
        (entry) => (entry.matchConditions = []),
        (entry) =>
          ((entry.matchConditions as { expression: string }[])[0] = { expression: 'true', name: 'other' } as never),
        (entry) => (entry.namespaceSelector = {}),
        (entry) => termsOf(entry).pop(),
        (entry) => termsOf(entry)[0]?.values?.push('zoo'),
        (entry) => termsOf(entry).at(-1)?.values?.shift(),
        (entry) => (entry.rules as { operations: string[] }[])[0]?.operations.push('DELETE'),
        (entry) => (entry.failurePolicy = entry.failurePolicy === 'Fail' ? 'Ignore' : 'Fail'),
        (entry) => (entry.name = 'renamed.vaultinjection.dev'),
        (entry) => (entry.somethingNew = true),
        (entry) => delete entry.failurePolicy,
      ];
      for (const change of changes) expect(isAsDesired(changed(change), desired), String(change)).to.equal(false);
    });

    describe('as it is, with what a platform adds that only narrows', () => {
      const added: Readonly<Record<string, (entry: Record<string, unknown>) => void>> = {
        'a term of the namespaceSelector': (entry) =>
          termsOf(entry).push({ key: 'control-plane', operator: 'NotIn', values: ['true'] }),
        'a term before ours': (entry) => termsOf(entry).unshift({ key: 'control-plane', operator: 'DoesNotExist' }),
        matchLabels: (entry) =>
          Object.assign(entry.namespaceSelector as object, { matchLabels: { 'injection.example.com': 'on' } }),
        'terms of the objectSelector': (entry) =>
          Object.assign(entry.objectSelector as object, {
            matchExpressions: [{ key: 'owned-by', operator: 'DoesNotExist' }],
          }),
        'a matchCondition': (entry) =>
          (entry.matchConditions as object[]).push({ name: 'not-me', expression: 'request.userInfo.username != "x"' }),
      };
      for (const [what, add] of Object.entries(added)) {
        it(what, () => {
          expect(isAsDesired(changed(add), desired)).to.equal(true);
        });
      }

      it('values among those that we exclude', () => {
        const more = changed((entry) => {
          const exclusion = termsOf(entry).find(({ operator }) => operator === 'NotIn');
          exclusion?.values?.push('zoo');
        });
        expect(isAsDesired(more, desired)).to.equal(true);
      });

      it('labels and annotations of the object', () => {
        const metadata = {
          ...desired.metadata,
          labels: { ...desired.metadata.labels, a: 'b' },
          annotations: { ...desired.metadata.annotations, c: 'd' },
        };
        expect(isAsDesired({ ...desired, metadata }, desired)).to.equal(true);
      });
    });

    it('as another without the mark of the installation', () => {
      expect(isAsDesired({ ...desired, metadata: { ...desired.metadata, annotations: {} } }, desired)).to.equal(false);
    });

    it('and written with the terms of others, but never with another list of names to include', () => {
      const foreign = [
        { key: 'control-plane', operator: 'NotIn', values: ['true'] },
        { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['gke-gmp-system'] },
      ];
      const observed = changed((entry) => {
        termsOf(entry).unshift({ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['old'] });
        termsOf(entry).push(...foreign);
        Object.assign(entry.objectSelector as object, { matchLabels: { a: 'b', ...selected(entry) } });
      });
      const next = buildConfiguration({ ...input, sent: { ignore: kindsIn(['new']), fail: kindsIn([]) } });
      const [ignore] = withNarrowing(next, observed).webhooks ?? [];
      expect(termsOf(ignore ?? {})).to.deep.equal([...termsOf(next.webhooks?.[0] ?? {}), ...foreign]);
      expect(ignore?.objectSelector).to.deep.equal({ matchLabels: { a: 'b' } });
      expect(isAsDesired(withNarrowing(next, observed), next)).to.equal(true);
      expect(withNarrowing(next, withNarrowing(next, observed)), 'settled').to.deep.equal(
        withNarrowing(next, observed),
      );
    });

    it('as another if it is gone, a label is gone, or an entry is there that should not be', () => {
      expect(isAsDesired(undefined, desired)).to.equal(false);
      expect(isAsDesired({ ...desired, metadata: { ...desired.metadata, labels: {} } }, desired)).to.equal(false);
      const without = buildConfiguration({ ...input, sent: { ignore: kindsIn([]), fail: kindsIn(['payments']) } });
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

interface Term {
  readonly key: string;
  readonly operator: string;
  readonly values?: string[];
}

function termsOf(entry: Readonly<Record<string, unknown>>): Term[] {
  return (entry.namespaceSelector as { matchExpressions: Term[] }).matchExpressions;
}

function selected(entry: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return (entry.objectSelector as { matchLabels?: Record<string, string> }).matchLabels ?? {};
}

/** Always the same numbers from 0 to 1. */
function numbers(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
