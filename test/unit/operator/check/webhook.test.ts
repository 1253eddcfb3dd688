import { expect } from 'chai';

import { kindsWith, PRESETS } from '../../../../core/added-kinds.ts';
import { toBase64 } from '../../../../core/base64.ts';
import type { WorkloadKind } from '../../../../core/kinds.ts';
import type { KubernetesObject, Resource } from '../../../../core/object.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { configurationFindings, reachedFindings } from '../../../../operator/check/webhook.ts';
import { createAuthority, type Authority } from '../../../../webhook/certificates/authority.ts';
import { encodeSet } from '../../../../webhook/certificates/secret.ts';
import { buildConfiguration } from '../../../../webhook/configuration/configuration.ts';
import { mark } from '../../../../core/marks.ts';
import { kindsIn } from '../../../support/kind-policies.ts';

const NOW = Date.parse('2026-11-27T12:00:00Z');
const NAMESPACE = 'vault-injection-system';
const TARGET = { service: { name: 'vault-injection-operator', namespace: NAMESPACE, port: 443 } };
const ROLLOUT = 'Rollout.argoproj.io';
const TABLE = kindsWith(PRESETS.ArgoRollout === undefined ? [] : [PRESETS.ArgoRollout]);
const FORBIDDEN = new ApiError(403, 'Forbidden', 'no');

describe('what check says of the webhook configuration', function () {
  // it creates keys
  this.timeout(60_000);
  let own: Authority;
  let other: Authority;
  before(async () => {
    own = await createAuthority(NOW);
    other = await createAuthority(NOW);
  });

  interface Cluster {
    readonly configuration?: KubernetesObject;
    readonly secret?: Readonly<Record<string, string>> | ApiError;
    readonly ready?: readonly string[];
    readonly kinds?: readonly WorkloadKind[];
    readonly now?: number;
    readonly target?: typeof TARGET;
  }

  const configured = (change: Partial<Parameters<typeof buildConfiguration>[0]> = {}): KubernetesObject =>
    buildConfiguration({
      target: TARGET,
      installation: NAMESPACE,
      caBundle: own.certificate,
      sent: { ignore: kindsIn(['shop'], ['Deployment']), fail: kindsIn([]) },
      labels: {},
      ...change,
    });
  const secretOf = (authority: Authority): Record<string, string> => encodeSet({ current: authority });

  async function said({
    configuration,
    secret,
    ready = ['shop'],
    kinds = ['Deployment'],
    now = NOW,
    target = TARGET,
  }: Cluster): Promise<string[]> {
    const findings = await configurationFindings({
      client: {
        list: () => {
          const items = configuration === undefined ? [] : [configuration];
          return Promise.resolve({ metadata: { resourceVersion: '1' }, items } as never);
        },
        get: <T extends KubernetesObject>(_resource: Resource, name: string) => {
          if (secret instanceof ApiError) return Promise.reject(secret);
          const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data: secret };
          return Promise.resolve((secret === undefined ? undefined : object) as unknown as T | undefined);
        },
      },
      namespace: NAMESPACE,
      target,
      isExternal: false,
      kinds: TABLE,
      readyTargets: () => Promise.resolve(kindsIn(ready, kinds)),
      now,
    });
    return findings.map(({ level, message }) => `${level} ${message}`);
  }

  it('is that it leads to the webhook and trusts its CA', async () => {
    expect(await said({ configuration: configured(), secret: secretOf(own) })).to.deep.equal([
      `Ok the CA of the webhook is valid until ${new Date(NOW + 365 * 86_400_000).toISOString()}`,
      `Ok the webhook configuration leads to service vault-injection-operator.${NAMESPACE}:443, for 1 namespace with policies`,
    ]);
  });

  it('is that it is not there, or belongs to another installation', async () => {
    expect(await said({})).to.deep.equal(['Failed there is no MutatingWebhookConfiguration vault-injection-operator']);
    const foreign = configured({ installation: 'elsewhere' });
    expect(await said({ configuration: foreign })).to.deep.equal([
      'Failed the webhook configuration belongs to the installation in namespace elsewhere',
    ]);
  });

  it('is that there is no CA that API servers could trust', async () => {
    const configuration = configured();
    expect(await said({ configuration })).to.deep.equal([
      `Failed there is no Secret vault-injection-operator-webhook in namespace ${NAMESPACE}`,
    ]);
    expect(await said({ configuration, secret: { 'ca.crt': toBase64('nonsense') } })).to.deep.equal([
      'Failed the Secret vault-injection-operator-webhook holds no CA that can be used',
    ]);
    const late = NOW + 366 * 86_400_000;
    expect((await said({ configuration, secret: secretOf(own), now: late }))[0]).to.match(
      /^Failed the CA .* has expired/,
    );
  });

  it('is that it trusts another CA, or leads elsewhere', async () => {
    const message = 'Failed the entry probe.vaultinjection.dev does not lead to service';
    const trusting = await said({ configuration: configured(), secret: secretOf(other) });
    expect(trusting[1]).to.contain(message);
    const target = { service: { ...TARGET.service, name: 'other' } };
    expect((await said({ configuration: configured(), secret: secretOf(own), target }))[1]).to.contain(message);
  });

  it('is that no entry has the namespace of a policy that is ready', async () => {
    const ready = ['shop', 'bank'];
    expect((await said({ configuration: configured(), secret: secretOf(own), ready }))[1]).to.match(
      /^Failed no entry sends the workloads of bank to the webhook/,
    );
    const kinds = ['Deployment', 'CronJob'] as const;
    expect((await said({ configuration: configured(), secret: secretOf(own), kinds }))[1]).to.match(
      /^Failed no entry sends the workloads of shop \(CronJob\) to the webhook/,
    );
  });

  it('goes by the kinds of the setting templates as well', async () => {
    const kinds = ['Deployment', ROLLOUT] as const;
    expect((await said({ configuration: configured(), secret: secretOf(own), kinds }))[1]).to.match(
      /^Failed no entry sends the workloads of shop \(Rollout\.argoproj\.io\) to the webhook/,
    );
    const sent = { ignore: kindsIn(['shop'], kinds), fail: kindsIn([]) };
    const configuration = configured({ sent, table: TABLE });
    expect((await said({ configuration, secret: secretOf(own), kinds }))[1]).to.match(/^Ok the webhook configuration/);
  });

  it('is, for who may not read the Secret, what can be seen without it', async () => {
    const [first, second] = await said({ configuration: configured(), secret: FORBIDDEN });
    expect(first).to.match(/^Warning .* you may not read the Secret/);
    expect(second).to.match(/^Ok the webhook configuration leads to/);
  });

  it('has nothing of the Secret in it', async () => {
    const secret = secretOf(own);
    const all = (await said({ configuration: configured(), secret })).join('\n');
    for (const value of Object.values(secret)) expect(all).not.to.contain(value);
  });
});

describe('what check says of a dry run', () => {
  const reached = async (answer: (object: KubernetesObject) => Promise<KubernetesObject>): Promise<string[]> => {
    const client = { apply: <T>(_resource: unknown, object: KubernetesObject) => answer(object) as Promise<T> };
    return (await reachedFindings(client, NAMESPACE, {})).map(({ level, message }) => `${level} ${message}`);
  };

  it('is who has reviewed it', async () => {
    const reviewed = await reached((object) =>
      Promise.resolve({ ...object, metadata: { ...object.metadata, annotations: { [mark.probedBy]: 'pod-1' } } }),
    );
    expect(reviewed).to.deep.equal(['Ok the API server reaches the webhook; a dry run was reviewed by pod-1']);
  });

  for (const [what, answer, text] of [
    ['nobody', undefined, /^Failed the API server does not call the webhook/],
    [
      'nobody, because it is not reached',
      new ApiError(
        500,
        'InternalError',
        'failed calling webhook "probe.vaultinjection.dev": failed to call webhook: Post "https://x": dial tcp: connection refused',
      ),
      /^Failed the API server says: Post .*connection refused; nothing listens at that address and port/,
    ],
    ['nobody, because one may not', FORBIDDEN, /^Warning no; let the operator create this ConfigMap/],
    [
      'nobody, because there is no answer',
      new ApiError(0, 'Timeout', 'late'),
      /^Failed the API server did not answer.*late/,
    ],
  ] as const) {
    it(`is, where ${what} has, why and what to do`, async () => {
      const said = await reached((object) => (answer === undefined ? Promise.resolve(object) : Promise.reject(answer)));
      expect(said).to.have.length(1);
      expect(said[0]).to.match(text);
    });
  }
});
