import { expect } from 'chai';

import { readRights } from '../../../../build/generate/rights.ts';
import type { KubernetesObject, Resource } from '../../../../core/object.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { neededRights, rightsFindings, rightText, type Right } from '../../../../operator/check/rights.ts';
import { subjectOf } from '../../../../operator/check/subject.ts';
import { readSettings, type Settings } from '../../../../operator/settings.ts';

const ACCOUNT = 'system:serviceaccount:vault-injection-system:vault-injection-operator';

function settingsWith(argv: readonly string[] = [], file = ''): Settings {
  const settings = readSettings(['--config', 'f', ...argv], {}, () => file);
  if (settings === 'help') throw new Error('asked for help');
  return settings;
}

describe('the rights that check asks for', () => {
  const texts = (settings: Settings): readonly string[] => neededRights(settings).map(rightText);

  it('are all that config/rbac grants', () => {
    const entry = 'vaultIdentities: [{ name: main, address: "https://v:8200/", paths: [secret/data/*] }]';
    const granted = readRights().flatMap(({ resources, names, verbs }) =>
      resources.flatMap(() => (names.length === 0 ? [''] : names).flatMap(() => verbs)),
    );
    expect(texts(settingsWith([], entry))).to.have.length(granted.length);
    expect(texts(settingsWith([], entry))).to.include.members([
      'watch vaultinjectionpolicies.vaultinjection.dev',
      'patch vaultinjectionpolicies.vaultinjection.dev/status',
      'get secrets "vault-injection-operator-webhook" in namespace vault-injection-system',
      'create serviceaccounts/token "vault-injection-operator-vault" in namespace vault-injection-system',
      'patch mutatingwebhookconfigurations.admissionregistration.k8s.io "vault-injection-operator"',
    ]);
  });

  it('are none that the settings make useless', () => {
    expect(texts(settingsWith()).filter((text) => text.includes('token'))).to.deep.equal([]);
    const verbs = neededRights(settingsWith(['--webhook-configuration', 'External']))
      .filter(({ resource }) => resource === 'mutatingwebhookconfigurations')
      .map(({ verb }) => verb);
    expect(verbs).to.deep.equal(['list', 'watch']);
  });

  // config/external-webhook and a chart or overlay with another name grant exactly this
  it('are about the ClusterRole that owns the configuration: by its own name, and none where the installer keeps it', () => {
    const roles = (...argv: string[]): readonly string[] =>
      texts(settingsWith(argv)).filter((text) => text.includes('clusterroles'));
    expect(roles('--cluster-role', 'team-operator')).to.deep.equal([
      'get clusterroles.rbac.authorization.k8s.io "team-operator"',
    ]);
    expect(roles('--webhook-configuration', 'External')).to.deep.equal([]);
  });

  it('are asked for in the namespace of the operator', () => {
    const places = new Set(neededRights(settingsWith(['--namespace', 'elsewhere'])).map(({ namespace }) => namespace));
    expect([...places]).to.have.members(['', 'elsewhere']);
  });

  describe('of the operator', () => {
    const asked: { plural: string; spec: Record<string, unknown> }[] = [];
    const client = (allows: (right: Right) => boolean, error?: ApiError) => ({
      create: <T extends KubernetesObject>({ plural }: Resource, object: KubernetesObject): Promise<T> => {
        const spec = object.spec as { resourceAttributes: Right };
        asked.push({ plural, spec });
        if (error !== undefined) return Promise.reject(error);
        return Promise.resolve({ ...object, status: { allowed: allows(spec.resourceAttributes) } } as unknown as T);
      },
    });
    beforeEach(() => (asked.length = 0));

    it('are all there', async () => {
      const [finding] = await rightsFindings(
        client(() => true),
        { name: ACCOUNT, isSelf: true },
        settingsWith(),
      );
      expect(finding).to.deep.include({ level: 'Ok' });
      expect(asked.every(({ plural }) => plural === 'selfsubjectaccessreviews')).to.equal(true);
    });

    it('are asked for by its name where somebody else asks', async () => {
      await rightsFindings(
        client(() => true),
        { name: ACCOUNT, isSelf: false },
        settingsWith(),
      );
      expect(asked[0]?.plural).to.equal('subjectaccessreviews');
      expect(asked[0]?.spec).to.deep.include({
        user: ACCOUNT,
        groups: ['system:serviceaccounts', 'system:serviceaccounts:vault-injection-system', 'system:authenticated'],
      });
    });

    it('are named where they are missing, the first of them', async () => {
      const allows = ({ resource, verb }: Right): boolean => resource !== 'nodes' && verb !== 'watch';
      const [finding] = await rightsFindings(client(allows), { name: ACCOUNT, isSelf: true }, settingsWith());
      expect(finding).to.deep.include({ level: 'Failed' });
      expect(finding?.message)
        .to.contain(`${ACCOUNT} may not watch vaultinjectionpolicies.vaultinjection.dev`)
        .and.match(/ and \d+ more$/);
      expect(finding?.hint).to.contain('config/rbac');
    });

    it('are not known to somebody who may not ask', async () => {
      const forbidden = new ApiError(403, 'Forbidden', 'no');
      const subject = { name: ACCOUNT, isSelf: false };
      const [finding] = await rightsFindings(
        client(() => true, forbidden),
        subject,
        settingsWith(),
      );
      expect(finding).to.deep.include({ level: 'Warning' });
      expect(finding?.hint).to.contain('kubectl exec -n vault-injection-system');
      const self = rightsFindings(
        client(() => true, forbidden),
        { name: ACCOUNT, isSelf: true },
        settingsWith(),
      );
      expect(await self.catch((error: unknown) => error)).to.equal(forbidden);
    });
  });
});

describe('the account that counts', () => {
  const options = {
    namespace: 'vault-injection-system',
    serviceAccount: undefined,
    fallback: 'vault-injection-operator',
    isOutside: false,
  };
  for (const [what, me, change, subject] of [
    ['its own, in the pod of the operator', ACCOUNT, {}, { name: ACCOUNT, isSelf: true }],
    [
      'its own also under another name',
      'system:serviceaccount:vault-injection-system:acme',
      {},
      { name: 'system:serviceaccount:vault-injection-system:acme', isSelf: true },
    ],
    ['the operator’s, for a person', 'jane', {}, { name: ACCOUNT, isSelf: false }],
    [
      'that of the kubeconfig, if the operator runs outside',
      'jane',
      { isOutside: true },
      { name: 'jane', isSelf: true },
    ],
    [
      'the one that is named',
      ACCOUNT,
      { serviceAccount: 'other' },
      { name: 'system:serviceaccount:vault-injection-system:other', isSelf: false },
    ],
  ] as const) {
    it(`is ${what}`, () => expect(subjectOf(me, { ...options, ...change })).to.deep.equal(subject));
  }
});
