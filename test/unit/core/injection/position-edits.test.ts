import { expect } from 'chai';
import { admitted } from '../../../support/admitted.ts';
import { ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, containerOf, deployment, templateOf } from '../../../support/example-workload.ts';
import type { Container, PodSpec, Workload } from '../../../support/example-workload.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import type { MutationResult } from '../../../../core/injection/outcome.ts';

const COMMAND = ['/metrics-server'];
const ARGS = ['--level=info', '--secure-port=4443'];
const migrate = container({ name: 'migrate', image: 'shop/migrate:1', env: [] });
function installerOf(containers: readonly Container[]): Container {
  const [first] = containers;
  if (first === undefined) throw new Error('there is no init container');
  return first;
}

const rule = ruleWith({ failurePolicy: 'Ignore', probes: true });

type Edit = (app: Container, spec: PodSpec) => void;

function live(fields: object = {}): Workload {
  const app = container({ command: COMMAND, args: ARGS, ...fields });
  return admitted(deployment({ initContainers: [migrate], containers: [app] }), rule);
}

/** An update of what is stored, as the API server sends it for review. */
function update(stored: Workload, edit: Edit): MutationResult {
  const object = structuredClone(stored);
  edit(containerOf(object, 'app'), templateOf(object).spec);
  const about = { kind: 'Deployment', namespace: 'shop', name: 'web' } as const;
  const result = mutateWorkload({ ...about, object, stored, rules: snapshotOf(rule) });
  return { ...result, patch: result.patch };
}

/** What a user would have to write for the program to start as it does after the update. */
function meant(stored: Workload, edit: Edit): Pick<Container, 'command' | 'args'> {
  const object = structuredClone(stored);
  edit(containerOf(object, 'app'), templateOf(object).spec);
  const after = applyPatch(object, update(stored, edit).patch) as Workload;
  const { command, args } = containerOf(admitted(after), 'app');
  return { command, args };
}

describe('edits of a stored workload by position', () => {
  const refused: readonly (readonly [patch: string, edit: Edit])[] = [
    ['replace args/0', ({ args }) => (args[0] = '--level=debug')],
    ['replace args/1', ({ args }) => (args[1] = '--secure-port=10250')],
    ['remove args/0', ({ args }) => args.splice(0, 1)],
    ['remove args/1', ({ args }) => args.splice(1, 1)],
    ['add args/0', ({ args }) => args.unshift('--v=2')],
    ['add args/1', ({ args }) => args.splice(1, 0, '--v=2')],
    ['replace args/0 and args/2', ({ args }) => ([args[0], args[2]] = ['--level=debug', '--v=2'])],
    ['add command/0', ({ command }) => command.unshift('tini')],
    ['add command/-', ({ command }) => command.push('--v=2')],
    ['replace the command of a hook', ({ lifecycle }) => ((lifecycle?.preStop?.exec?.command ?? [])[0] = '/bin/other')],
    ['remove initContainers/0', (_app, { initContainers }) => initContainers?.splice(0, 1)],
    [
      'replace initContainers/0/image',
      (_app, { initContainers = [] }) => (installerOf(initContainers).image = 'shop/migrate:2'),
    ],
    [
      'replace initContainers/0/args/0',
      (_app, { initContainers = [] }) => (installerOf(initContainers).args[0] = '--fast'),
    ],
    [
      'replace initContainers/0/command/0',
      (_app, { initContainers = [] }) => (installerOf(initContainers).command[0] = '/m'),
    ],
  ];
  for (const [patch, edit] of refused)
    it(`${patch}: refused, with what to do instead`, () => {
      const { outcome, denial } = update(
        live({ lifecycle: { preStop: { exec: { command: ['/bin/end', 'now'] } } } }),
        edit,
      );
      expect([outcome, denial?.reason]).to.deep.equal(['Denied', 'EditedByPosition']);
      expect(denial?.message).to.match(/positions differ from those of the manifest: apply the manifest/);
      expect(denial?.message).to.not.match(/level|port|end|shop/);
    });

  it('of a command of many words and one in its place: refused', () => {
    const edit: Edit = ({ command }) => (command[0] = '/bin/bash');
    expect(update(live({ command: ['/bin/sh', '-c'], args: ['run'] }), edit).denial?.reason).to.equal(
      'EditedByPosition',
    );
  });

  it('of a program without args: refused', () => {
    const edit: Edit = ({ args }) => (args[1] = '/other');
    expect(update(live({ args: undefined }), edit).denial?.reason).to.equal('EditedByPosition');
  });

  const taken: readonly (readonly [what: string, edit: Edit, command: readonly string[], args: readonly string[]])[] = [
    ['add args/-', ({ args }) => args.push('--v=2'), COMMAND, [...ARGS, '--v=2']],
    [
      'kubectl edit behind the program',
      ({ args }) => (args[2] = '--level=debug'),
      COMMAND,
      ['--level=debug', '--secure-port=4443'],
    ],
    ['a merge of args', (app) => (app.args = ['--level=debug']), COMMAND, ['--level=debug']],
    [
      'a merge of args that begin with --',
      (app) => (app.args = ['--quiet', '--secure-port=4443']),
      COMMAND,
      ['--quiet', '--secure-port=4443'],
    ],
    ['an apply of both', (app) => Object.assign(app, { command: ['/other'], args: ['x'] }), ['/other'], ['x']],
    ['replace command/0', ({ command }) => (command[0] = '/other'), ['/other'], ARGS],
    [
      'an apply with a longer command',
      (app) => Object.assign(app, { command: ['tini', '/metrics-server'], args: ARGS }),
      ['tini', '/metrics-server'],
      ARGS,
    ],
  ];
  for (const [what, edit, command, args] of taken)
    it(`${what}: taken as it is meant`, () => {
      expect(update(live(), edit).denial).to.equal(undefined);
      expect(meant(live(), edit)).to.deep.equal({ command, args });
    });

  it('behind the program are warned of, because they may have been counted from the manifest; at the end they cannot', () => {
    const warning =
      'container app: args changed in place; as stored they begin with the command, which shifts positions';
    expect(update(live(), ({ args }) => (args[2] = '--level=debug')).warnings).to.deep.equal([warning]);
    expect(update(live(), ({ args }) => args.push('--v=2')).warnings).to.deep.equal([]);
    expect(update(live(), ({ args }) => args.pop()).warnings).to.deep.equal([]);
  });

  const harmless: readonly (readonly [what: string, edit: Edit])[] = [
    ['an image by position', (app) => (app.image = 'shop/app:2')],
    [
      'an added init container',
      (_app, { initContainers = [] }) => initContainers.unshift(container({ name: 'first', env: [] })),
    ],
    ['a removed init container of the user', (_app, { initContainers = [] }) => initContainers.splice(1, 1)],
    [
      'a mirror of the image, by another webhook',
      (_app, { initContainers = [] }) => (installerOf(initContainers).image = 'mirror.example.com/x/vault-env:1.0.0'),
    ],
    ['another volume', (_app, { volumes }) => volumes.push({ name: 'x', emptyDir: {} })],
  ];
  for (const [what, edit] of harmless)
    it(`${what}: none of them`, () => expect(update(live(), edit).denial).to.equal(undefined));

  it('are not what admission itself has made, when another webhook has it called again', () => {
    const stored = live();
    const volume = ruleWith({ injector: { delivery: 'ImageVolume' }, hash: 'bbbbbbbbbbbb' });
    const about = { kind: 'Deployment', namespace: 'shop', name: 'web', stored } as const;
    for (const object of [admitted(stored, volume), admitted(live({ command: ['/other'] }), rule)]) {
      expect(mutateWorkload({ ...about, object, rules: snapshotOf(volume) }).denial).to.equal(undefined);
    }
  });

  it('are not what brings another record: an undo, a copy, a restored manifest', () => {
    const other = live({ command: ['/metrics-server', 'serve'], args: ['x'] });
    const about = { kind: 'Deployment', namespace: 'shop', name: 'web', rules: snapshotOf(rule) } as const;
    expect(mutateWorkload({ ...about, object: other, stored: live() }).denial).to.equal(undefined);
  });
});
