import { readFileSync } from 'node:fs';
import { expect } from 'chai';

import { AUTH_DETAILS, AUTH_METHODS } from '../../../core/auth-methods.ts';
import type { AuthMethod, AuthMethodRow } from '../../../core/auth-methods.ts';
import { specSchema } from '../../support/example-policy.ts';

const methods = Object.keys(AUTH_METHODS) as AuthMethod[];
const auth = specSchema('vault.auth');

function methodsWhere(isMeant: (row: AuthMethodRow) => boolean): readonly AuthMethod[] {
  return methods.filter((method) => isMeant(AUTH_METHODS[method]));
}

/** The methods that the CRD's rule with this reason about a field of vault.auth names. */
function ruled(field: string, reason: string): readonly string[] {
  const rules = (auth['x-kubernetes-validations'] ?? []).filter(
    (rule) => rule.fieldPath === `.${field}` && rule.reason === reason,
  );
  expect(rules, `rules about ${field}`).to.have.length(1);
  const words = [...(rules[0]?.rule ?? '').matchAll(/'([A-Za-z]+)'/g)].map(([, word]) => word ?? '');
  return [...new Set(words)].filter((word) => (methods as string[]).includes(word));
}

describe('the table of auth methods', () => {
  it('has those that the CRD allows, in its order', () => {
    expect(specSchema('vault.auth.method').enum).to.deep.equal(methods);
  });

  it('has the mount paths that the CRD names as their defaults', () => {
    const { description = '' } = specSchema('vault.auth.mountPath');
    const mountPaths = methods.map((method) => AUTH_METHODS[method].mountPath);
    expect(description.match(/[a-z]+/g)?.filter((word) => mountPaths.includes(word))).to.deep.equal(mountPaths);
  });

  it('has the methods and mount paths that vault-env has', () => {
    const source = readFileSync(new URL('../../../vault-env/internal/login/methods.go', import.meta.url), 'utf8');
    const rows = [...source.matchAll(/\{name: "(\w+)", mount: "([^"]+)"/g)].map(([, ...row]) => row);
    expect(rows).to.have.deep.members(methods.map((method) => [method, AUTH_METHODS[method].mountPath]));
  });

  it('has each field of vault.auth that only some methods have', () => {
    const common = ['method', 'mountPath', 'role', 'audience', 'tokenExpiration', 'secretRef'];
    const own = Object.keys(auth.properties ?? {}).filter((field) => !common.includes(field));
    expect(AUTH_DETAILS).to.have.members(own);
  });

  for (const field of AUTH_DETAILS)
    it(`allows ${field} for the methods for which the CRD does not forbid it`, () => {
      const taking = methodsWhere(({ details }) => details.includes(field));
      expect(ruled(field, 'FieldValueForbidden')).to.have.members(taking);
    });

  it('mounts a Secret for the methods for which the CRD requires one, and for no others', () => {
    const taking = methodsWhere(({ secretFiles }) => secretFiles !== undefined);
    expect(ruled('secretRef', 'FieldValueRequired')).to.have.members(taking);
    expect(ruled('secretRef', 'FieldValueForbidden')).to.have.members(taking);
  });

  for (const field of ['audience', 'tokenExpiration'])
    it(`projects a token for the methods that may have ${field}`, () => {
      const taking = methodsWhere(({ takesToken }) => takesToken);
      expect(ruled(field, 'FieldValueForbidden')).to.have.members(taking);
    });

  it('keeps annotations from choosing the role of the methods for which the CRD forbids one', () => {
    const fixed = methodsWhere(({ fixedRole }) => fixedRole !== undefined);
    expect(ruled('role', 'FieldValueForbidden')).to.have.members(fixed);
  });
});
