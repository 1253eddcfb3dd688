import { expect } from 'chai';
import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import {
  container,
  containerOf,
  deployment,
  namesOf,
  recordOf,
  templateOf,
} from '../../../support/example-workload.ts';
import type { Container, Exec, RecordJson, Workload } from '../../../support/example-workload.ts';

const ORIGINAL = 'vaultinjection.dev/original';
const rule = ruleWith();
const hinted = ruleWith({ images: [{ match: '*', entrypoint: ['/entry', 'point'], cmd: ['cmd'] }] });

/** A container `app` after injection, changed by `change`, and after another admission under no rule at all. */
function restoredAfter(
  change: (app: Container, object: Workload) => unknown,
  fields: object = {},
  by = rule,
): Container {
  const injected = admitted(deployment({ containers: [container(fields)] }), by);
  change(containerOf(injected, 'app'), injected);
  const [restored] = templateOf(admitted(injected)).spec.containers;
  return restored ?? container();
}

describe('restore', () => {
  it('returns the original exactly, with no empty list or map left behind', () => {
    const bare = deployment({ containers: [container({ env: undefined })] });
    const always = ruleWith({ when: 'Always' });
    expect(admitted(admitted(bare, always))).to.deep.equal(bare);
    expect(mutate(admitted(bare, always)).outcome).to.equal('Restored');
  });

  it('removes whole lists and the annotations if nothing else was in them', () => {
    const injected = admitted(deployment({ containers: [container()] }), rule);
    expect(mutate(injected).patch.map(({ op, path }) => `${op} ${path}`)).to.deep.equal([
      'remove /spec/template/metadata/annotations',
      'remove /spec/template/metadata/labels/vaultinjection.dev~1policy',
      'remove /spec/template/spec/initContainers',
      'remove /spec/template/spec/volumes',
      'remove /spec/template/spec/containers/0/startupProbe',
      'remove /spec/template/spec/containers/0/volumeMounts',
      'replace /spec/template/spec/containers/0/command',
      'replace /spec/template/spec/containers/0/args',
      'remove /spec/template/spec/containers/0/env/1',
    ]);
  });

  describe('field by field: the original if the live value was generated, else the live value', () => {
    it('keeps a command that the user changed, and restores the args', () => {
      const { command, args } = restoredAfter((app) => (app.command = ['/new']));
      expect({ command, args }).to.deep.equal({ command: ['/new'], args: ['--port=80'] });
    });
    it('keeps args that the user changed, and restores the command', () => {
      const { command, args } = restoredAfter((app) => (app.args = ['--port=81']));
      expect({ command, args }).to.deep.equal({ command: ['/app'], args: ['--port=81'] });
    });
    it('keeps both when both were set, as an apply of the same manifest does', () => {
      const { command, args } = restoredAfter((app) => Object.assign(app, { command: ['/app'], args: ['--port=80'] }));
      expect({ command, args }).to.deep.equal({ command: ['/app'], args: ['--port=80'] });
    });
    it('has no args if the manifest has none, though the generated ones are still there', () => {
      const app = restoredAfter((live) => (live.command = ['/app']), { args: undefined });
      expect(app.command).to.deep.equal(['/app']);
      expect(app).not.to.have.property('args');
    });
    it('has no command if the user removed it, though the generated args are still there', () => {
      const app = restoredAfter((live) => Reflect.deleteProperty(live, 'command'), { args: undefined });
      expect(app).not.to.have.any.keys('command', 'args');
    });
    it('has no args if the user removed them', () => {
      const app = restoredAfter((live) => Reflect.deleteProperty(live, 'args'));
      expect(app.command).to.deep.equal(['/app']);
      expect(app).not.to.have.property('args');
    });
    it('keeps an exec probe that the user changed, and restores the others', () => {
      const probe = (command: string): Exec => ({ exec: { command: [command] } });
      const probes = { livenessProbe: probe('/live'), readinessProbe: probe('/ready') };
      const app = restoredAfter((live) => (live.livenessProbe = probe('/new')), probes, ruleWith({ probes: true }));
      expect(app).to.deep.include({ livenessProbe: probe('/new'), readinessProbe: probe('/ready') });
    });
    it('removes only our variable from env, wherever a merge has put it', () => {
      const app = restoredAfter((live) => live.env.reverse().splice(1, 0, { name: 'NEW', value: '1' }));
      expect(namesOf(app.env)).to.deep.equal(['NEW', 'DB_PASSWORD']);
    });
    it('keeps a VAULT_ENV_CONFIG that the user has set since', () => {
      const app = restoredAfter((live) => Object.assign(live.env[1] ?? {}, { value: '{"vault":{}}' }));
      expect(app.env[1]).to.deep.equal({ name: 'VAULT_ENV_CONFIG', value: '{"vault":{}}' });
    });
  });

  describe('an edit of the generated args in place, as with kubectl edit', () => {
    it('is read behind the program that they begin with', () => {
      const { command, args } = restoredAfter((app) => app.args.push('--verbose'));
      expect({ command, args }).to.deep.equal({ command: ['/app'], args: ['--port=80', '--verbose'] });
    });
    it('is read behind the entrypoint of the image', () => {
      const app = restoredAfter((live) => live.args.push('more'), { command: undefined, args: undefined }, hinted);
      expect(app).not.to.have.property('command');
      expect(app.args).to.deep.equal(['cmd', 'more']);
    });
    it('can replace the program', () => {
      const { command } = restoredAfter((app) => (app.args = ['--', '/other', 'x']));
      expect(command).to.deep.equal(['/other', 'x']);
    });
  });

  describe("args of the user's own that begin with --", () => {
    it('are not an edit if the container has no command of its own', () => {
      const app = restoredAfter((live) => (live.args = ['--', 'x']), { command: undefined }, hinted);
      expect(app).not.to.have.property('command');
      expect(app.args).to.deep.equal(['--', 'x']);
    });
    it('are not an edit if they began like that before', () => {
      const { command, args } = restoredAfter((app) => (app.args = ['--', 'y']), { args: ['--', 'x'] });
      expect({ command, args }).to.deep.equal({ command: ['/app'], args: ['--', 'y'] });
    });
  });

  describe('containers that came, went or changed their name', () => {
    it('drops entries of containers that are gone, and reads the others', () => {
      const object = admitted(deployment({ containers: [container(), container({ name: 'gone' })] }), rule);
      object.spec.template.spec.containers.pop();
      const again = admitted(object, rule);
      expect(namesOf(recordOf(again).containers)).to.deep.equal(['app']);
    });
    it('leaves a container alone that was added since', () => {
      const injected = admitted(deployment({ containers: [container()] }), rule);
      const added = container({ name: 'added', args: ['--', 'own'] });
      injected.spec.template.spec.containers.push(structuredClone(added));
      expect(containerOf(admitted(injected), 'added')).to.deep.equal(added);
    });
    it('knows a container that was copied in place, and restores both', () => {
      const injected = admitted(deployment({ containers: [container()] }), rule);
      templateOf(injected).spec.containers.push({ ...containerOf(injected, 'app'), name: 'copy' });
      const copied = deployment({ containers: [container(), container({ name: 'copy' })] });
      expect(admitted(injected)).to.deep.equal(copied);
      expect(admitted(injected, rule)).to.deep.equal(admitted(copied, rule));
    });
    it('knows a container that was renamed in place by what was generated', () => {
      const app = restoredAfter((live) => (live.name = 'renamed'));
      expect(app).to.deep.equal(container({ name: 'renamed' }));
    });
  });

  describe('without a usable record', () => {
    const damages: [string, (object: Workload) => unknown][] = [
      ['deleted', (object) => Reflect.deleteProperty(templateOf(object).metadata.annotations, ORIGINAL)],
      ['deleted with all annotations', deleteAnnotations],
      ['cut off', (object) => (templateOf(object).metadata.annotations[ORIGINAL] = '{"v":1,"cont')],
      ['not an object', (object) => (templateOf(object).metadata.annotations[ORIGINAL] = '[7]')],
      ['empty', (object) => (templateOf(object).metadata.annotations[ORIGINAL] = '{"v":1}')],
      ['of a later version', (object) => edit(object, { v: 2 })],
      ['forged: another command', editEntry({ command: ['/evil'] })],
      ['forged: no command', editEntry({ command: null })],
      ['forged: other args', editEntry({ args: ['x'] })],
      ['forged: args of the wrong type', editEntry({ args: [1] })],
      ['forged: another hash', editEntry({ generated: 'ffffffffffff' })],
      ['forged: no hash', editEntry({ generated: undefined })],
      ['forged: another place', editEntry({ mountPath: '/etc' })],
      ['about other containers', editEntry({ name: 'other' })],
      ['of another workload', (object) => edit(object, foreignRecord())],
    ];
    for (const [name, damage] of damages) {
      it(`${name}: never wrapped twice, nothing lost`, () => {
        const object = admitted(deployment({ containers: [container()] }), rule);
        damage(object);
        const again = admitted(object, rule);
        const app = containerOf(again, 'app');
        expect(app.command).to.deep.equal(['/vault-env/vault-env']);
        expect(app.args).to.deep.equal(['--', '/app', '--port=80']);
        expect(namesOf(app.env)).to.deep.equal(['DB_PASSWORD', 'VAULT_ENV_CONFIG']);
        expect(app.volumeMounts).to.have.length(2);
        expect(templateOf(again).spec.initContainers).to.have.length(1);
        expect(templateOf(again).spec.volumes).to.have.length(2);
        expect(mutate(again, rule).patch).to.deep.equal([]);
        const { spec } = templateOf(admitted(object));
        const { command, args, ...rest } = { ...containerOf(admitted(object), 'app') };
        expect([...command, ...((args as string[] | undefined) ?? [])]).to.deep.equal(['/app', '--port=80']);
        expect(Object.keys(rest)).to.deep.equal(['name', 'image', 'env']);
        expect(Object.keys(spec)).to.deep.equal(['containers']);
      });
    }

    describe('knows its own by the marks that an edit has left', () => {
      const remains: [string, (injected: Workload) => unknown, object][] = [
        ['without the variable', (object) => containerOf(object, 'app').env.pop(), { command: ['/app', '--port=80'] }],
        [
          'with a command of the user',
          (object) => (containerOf(object, 'app').command = ['/app']),
          { command: ['/app'] },
        ],
      ];
      for (const [name, edited, program] of remains) {
        it(name, () => {
          const object = deployment({
            containers: [container({ args: name === 'without the variable' ? ['--port=80'] : undefined })],
          });
          const injected = admitted(object, ruleWith({ injector: { delivery: 'ImageVolume' } }));
          deleteAnnotations(injected);
          edited(injected);
          expect(admitted(injected)).to.deep.equal(
            deployment({ containers: [container({ args: undefined, ...program })] }),
          );
        });
      }

      it('with containers that are all new', () => {
        const injected = admitted(deployment({ containers: [container({ name: 'old' })] }), rule);
        deleteAnnotations(injected);
        templateOf(injected).spec.containers = [container()];
        expect(admitted(injected)).to.deep.equal(deployment({ containers: [container()] }));
      });

      it('without the volumes', () => {
        const injected = admitted(deployment({ containers: [container()] }), rule);
        deleteAnnotations(injected);
        Reflect.deleteProperty(templateOf(injected).spec, 'volumes');
        const program = { command: ['/app', '--port=80'], args: undefined };
        expect(admitted(injected)).to.deep.equal(deployment({ containers: [container(program)] }));
      });
    });

    it('unwraps probes by their structure', () => {
      const livenessProbe = { exec: { command: ['/health'] } };
      const injected = admitted(deployment({ containers: [container({ livenessProbe })] }), ruleWith({ probes: true }));
      deleteAnnotations(injected);
      expect(containerOf(admitted(injected), 'app').livenessProbe).to.deep.equal(livenessProbe);
    });

    it('removes generated args that repeat a command which an apply has set', () => {
      const app = restoredAfter(
        (live, object) => {
          deleteAnnotations(object);
          live.command = ['/app'];
        },
        { args: undefined },
      );
      expect(app.command).to.deep.equal(['/app']);
      expect(app).not.to.have.property('args');
    });

    it('asks for command and args if it cannot tell, and loses no word', () => {
      const injected = admitted(deployment({ containers: [container()] }), rule);
      deleteAnnotations(injected);
      containerOf(injected, 'app').command = ['/new'];
      expect(mutate(injected).warnings).to.deep.equal([
        'container app: the record of its command is missing; set its command and args again',
        'container app: DB_PASSWORD stays text: no VaultInjectionPolicy selects it',
      ]);
      expect(containerOf(admitted(injected), 'app').args).to.deep.equal(['--', '/app', '--port=80']);
    });
  });

  it('reads an older template with its older record, as rollout undo restores it, under the current rule', () => {
    const revision1 = deployment({ containers: [container({ args: ['--v=1'] })] });
    const older = admitted(revision1, ruleWith({ hash: '111111111111', vault: { address: 'https://old:8200' } }));
    const today = ruleWith({ hash: '222222222222', policy: { generation: 5 }, injector: { delivery: 'ImageVolume' } });
    const current = admitted(deployment({ containers: [container({ args: ['--v=2'] })] }), today);
    current.spec.template = structuredClone(templateOf(older));
    expect(templateOf(admitted(current, today))).to.deep.equal(templateOf(admitted(revision1, today)));
  });
});

function deleteAnnotations(object: Workload): void {
  Reflect.deleteProperty(templateOf(object).metadata, 'annotations');
}

function edit(object: Workload, changes: Partial<RecordJson>): void {
  templateOf(object).metadata.annotations[ORIGINAL] = JSON.stringify({ ...recordOf(object), ...changes });
}

function editEntry(changes: object): (object: Workload) => void {
  return (object) => {
    const [first, ...others] = recordOf(object).containers;
    if (first) edit(object, { containers: [{ ...first, ...changes }, ...others] });
  };
}

function foreignRecord(): RecordJson {
  return recordOf(admitted(deployment({ containers: [container({ command: ['/foreign'], args: ['-f'] })] }), rule));
}
