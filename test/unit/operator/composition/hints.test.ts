import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';

import type { Lack } from '../../../../kube/object-client.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { hintOf } from '../../../../operator/composition/hints.ts';

const OWN = 'vault-injection-system';

interface Role {
  readonly kind: string;
  readonly rules?: readonly { readonly apiGroups: string[]; readonly resources: string[]; readonly verbs: string[] }[];
}

const roles = parseAllDocuments(
  readFileSync(join(import.meta.dirname, '../../../../config/rbac/operator.yaml'), 'utf8'),
).map((document) => document.toJS() as Role);

describe('hints for an installation that lacks something', () => {
  const hint = (lack: Lack): string | undefined =>
    hintOf(new ApiError(403, 'Forbidden', 'no', undefined, lack), { namespace: OWN });

  it('say how to create the namespace of the operator, by its name', () => {
    expect(hint({ kind: 'Namespace', name: OWN })).to.match(
      /^the operator's namespace vault-injection-system does not exist: kubectl apply -k config\/default .*kubectl create namespace vault-injection-system .*--namespace$/,
    );
  });

  it('have nothing to say about a namespace of users, which they may delete', () => {
    expect(hint({ kind: 'Namespace', name: 'shop' })).to.equal(undefined);
  });

  it('say how to install the CRD', () => {
    const lack = { kind: 'Resource', group: 'vaultinjection.dev', plural: 'vaultinjectionpolicies' } as const;
    expect(hint(lack)).to.match(/install the CRD, kubectl apply -f crds\/$/);
    expect(hint({ ...lack, group: 'example.com' })).to.equal(undefined);
  });

  for (const { kind, rules = [] } of roles) {
    for (const { apiGroups, resources, verbs } of rules) {
      for (const resource of resources) {
        it(`name the ${kind} for ${resource}: ${verbs.join()}`, () => {
          const [group = ''] = apiGroups;
          const namespace = kind === 'Role' ? OWN : '';
          const hints = new Set(verbs.map((verb) => hint({ kind: 'Right', verb, group, resource, namespace })));
          expect(hints.size, 'one for all verbs').to.equal(1);
          const [text] = hints;
          expect(text)
            .to.contain('kubectl apply -k config/rbac')
            .and.contain(`the rule of ${resource} in the ${kind} of`);
        });
      }
    }
  }

  it('have nothing to say about Secrets of other namespaces, which decide that themselves', () => {
    const lack = { kind: 'Right', verb: 'get', group: '', resource: 'secrets', namespace: 'shop' } as const;
    expect(hint(lack)).to.equal(undefined);
  });

  it('have nothing to say about what passes', () => {
    expect(hintOf(new ApiError(0, 'Unreachable', 'no'), { namespace: OWN })).to.equal(undefined);
    expect(hintOf(new Error('no'), { namespace: OWN })).to.equal(undefined);
  });
});
