import { expect } from 'chai';

import { PRESETS } from '../../../core/added-kinds.ts';
import { readTemplates } from '../../../operator/kind-templates.ts';
import { readSettings } from '../../../operator/settings.ts';

const ENTRY = {
  group: 'example.com',
  version: 'v1',
  resource: 'gameservers',
  kind: 'GameServer',
  template: 'spec.template',
  rollout: 'None',
};

describe('the setting templates', () => {
  it('takes presets and entries', () => {
    expect(readTemplates(['ArgoRollout', ENTRY])).to.deep.equal([PRESETS.ArgoRollout, ENTRY]);
    expect(readTemplates(' CloneSet, KnativeService ')).to.deep.equal([PRESETS.CloneSet, PRESETS.KnativeService]);
    for (const nothing of ['', [], null, undefined]) expect(readTemplates(nothing)).to.deep.equal([]);
  });

  it('comes from the environment, a flag and the file', () => {
    const variable = { VAULT_INJECTION_TEMPLATES: 'ArgoRollout' };
    const read = (argv: readonly string[], env: Record<string, string>, file = ''): unknown => {
      const settings = readSettings(argv, env, () => file);
      return settings === 'help' ? settings : settings.templates;
    };
    expect(read([], {})).to.deep.equal([]);
    expect(read([], variable)).to.deep.equal([PRESETS.ArgoRollout]);
    expect(read(['--templates', 'CloneSet'], variable)).to.deep.equal([PRESETS.CloneSet]);
    const file = `templates:\n  - ${JSON.stringify(ENTRY)}\n`;
    expect(read(['--config', 'f.yaml'], {}, file)).to.deep.equal([ENTRY]);
    expect(() => read([], { VAULT_INJECTION_TEMPLATES: 'Argo' })).to.throw(
      'VAULT_INJECTION_TEMPLATES: entry 1: there is no preset "Argo"',
    );
  });

  const wrong: readonly [what: string, value: unknown, message: string][] = [
    ['a typo in a preset', ['ArgoRolout'], 'entry 1: there is no preset "ArgoRolout"; did you mean ArgoRollout?'],
    ['no list', { group: 'x' }, 'write a list of presets (ArgoRollout, CloneSet, KnativeService)'],
    ['a number', [7], 'entry 1: write the name of a preset, or a mapping with group, version'],
    ['an unknown key', [{ ...ENTRY, plural: 'x' }], 'unknown key "plural"; allowed: group'],
    ['a missing key', [{ ...ENTRY, template: undefined }], 'template is missing; write the fields that lead'],
    [
      'a built-in kind',
      [{ ...ENTRY, group: 'apps', kind: 'Deployment' }],
      'Deployment needs no entry: policies name it in targets as Deployment',
    ],
    [
      'a group of Kubernetes',
      [{ ...ENTRY, group: 'apps' }],
      'group: "apps" is not allowed; write the API group of a CustomResourceDefinition',
    ],
    [
      'a resource with its group',
      [{ ...ENTRY, resource: 'gameservers.example.com' }],
      'resource: "gameservers.example.com" is not allowed; write the name of the resource in the plural',
    ],
    [
      'a kind in lower case',
      [{ ...ENTRY, kind: 'gameserver' }],
      'kind: "gameserver" is not allowed; write the kind as manifests write it',
    ],
    [
      'a path outside of the spec',
      [{ ...ENTRY, template: 'status.template' }],
      'template: "status.template" is not allowed; write the fields that lead from the object to the pod template',
    ],
    ['a JSON pointer', [{ ...ENTRY, template: '/spec/template' }], 'such as spec.template'],
    [
      'a path that is too long',
      [{ ...ENTRY, template: 'spec.template.spec' }],
      'template: spec.template.spec leads into the pod template; write spec.template',
    ],
    [
      'a rollout that nobody knows',
      [{ ...ENTRY, rollout: 'Rollout' }],
      'rollout: "Rollout" is not allowed; write how its rollout is read: Deployment, StatefulSet, ArgoRollout',
    ],
    ['one twice', ['ArgoRollout', 'ArgoRollout'], 'entry 2: Rollout.argoproj.io is that of entry 1 already'],
    [
      'one in two versions',
      [ENTRY, { ...ENTRY, version: 'v2' }],
      'entry 2: GameServer.example.com is that of entry 1 already',
    ],
    ['too many', Array.from({ length: 17 }, () => 'ArgoRollout'), 'at most 16 entries'],
  ];
  for (const [what, value, message] of wrong) {
    it(`refuses ${what}, and says what to write`, () => {
      expect(() => readTemplates(value)).to.throw(message);
    });
  }
});
