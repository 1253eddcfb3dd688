import { expect } from 'chai';
import { chooseCluster } from '../../demo/choose-cluster.ts';
import { findClusters, type FoundClusters } from '../../demo/find-clusters.ts';
import type { Outcome, Run } from '../../demo/programs.ts';

const ABSENT: Outcome = { stdout: '', stderr: 'spawn ENOENT', code: undefined };

/** Stands in for kubectl, kind and minikube: what each command line prints, as the real programs print it. */
function machine(programs: Readonly<Record<string, Partial<Outcome>>>): Run {
  return (program, args) => {
    const outcome = programs[[program, ...args].join(' ')];
    return Promise.resolve(outcome === undefined ? ABSENT : { stdout: '', stderr: '', code: 0, ...outcome });
  };
}

/** A kubeconfig with these contexts, of which the first is the current one unless it is "-". */
function kubeconfig(current: string, ...others: string[]): Record<string, Partial<Outcome>> {
  const names = [current, ...others].filter((name) => name !== '-');
  return {
    'kubectl config current-context':
      current === '-' ? { code: 1, stderr: 'error: current-context is not set\n' } : { stdout: `${current}\n` },
    'kubectl config get-contexts --output name': { stdout: names.map((name) => `${name}\n`).join('') },
  };
}

const kind = (...names: string[]): Record<string, Partial<Outcome>> => ({
  'kind get clusters':
    names.length === 0
      ? { stderr: 'No kind clusters found.\n' }
      : { stdout: names.map((name) => `${name}\n`).join('') },
});

const minikube = (profiles: Readonly<Record<string, string>>): Record<string, Partial<Outcome>> => ({
  'minikube profile list --output json': {
    stdout: `${JSON.stringify({
      invalid: [],
      valid: Object.entries(profiles).map(([Name, Status]) => ({
        ...{ Name, Status, Config: { Name, Driver: 'docker', Nodes: [{ ControlPlane: true, Worker: true }] } },
        ...{ Active: false, ActiveKubeContext: false },
      })),
    })}\n`,
  },
});

const found = (...programs: Record<string, Partial<Outcome>>[]): Promise<FoundClusters> =>
  findClusters(machine(Object.assign({}, ...programs) as Record<string, Partial<Outcome>>), 'kubectl');

describe('the cluster that the demo runs in', () => {
  const cases: readonly {
    title: string;
    programs: Record<string, Partial<Outcome>>[];
    named?: string;
    choice: object;
  }[] = [
    {
      title: 'is the current context if kind has made it, among several',
      programs: [kubeconfig('kind-two', 'kind-one', 'prod'), kind('one', 'two')],
      choice: { where: 'cluster', context: 'kind-two', origin: { by: 'kind', name: 'two' }, isCurrent: true },
    },
    {
      title: 'is the only cluster of kind, although the current context is another',
      programs: [kubeconfig('prod', 'kind-kind'), kind('kind')],
      choice: { where: 'cluster', context: 'kind-kind', origin: { by: 'kind', name: 'kind' }, isCurrent: false },
    },
    {
      title: 'is a profile of minikube that runs',
      programs: [kubeconfig('minikube'), minikube({ minikube: 'Running' })],
      choice: { where: 'cluster', context: 'minikube', origin: { by: 'minikube', name: 'minikube' }, isCurrent: true },
    },
    {
      title: 'is a profile of a newer minikube, which says OK',
      programs: [kubeconfig('prod', 'trial'), minikube({ trial: 'OK', minikube: 'Stopped' }), kind()],
      choice: { where: 'cluster', context: 'trial', origin: { by: 'minikube', name: 'trial' }, isCurrent: false },
    },
    {
      title: 'is whatever was named, even if kind has others',
      programs: [kubeconfig('kind-kind', 'prod'), kind('kind')],
      named: 'prod',
      choice: { where: 'cluster', context: 'prod', origin: { by: 'other' }, isCurrent: false },
    },
  ];
  for (const { title, programs, named, choice } of cases)
    it(title, async () => expect(chooseCluster(await found(...programs), named)).to.deep.equal(choice));

  it('is asked for where there are several and none is current', async () => {
    const programs = [
      kubeconfig('prod', 'kind-one', 'kind-two', 'minikube'),
      kind('one', 'two'),
      minikube({ minikube: 'OK' }),
    ];
    const choice = chooseCluster(await found(...programs));
    expect(choice).to.have.property('where', 'nowhere');
    expect(choice).to.have.property('message').that.contains('CONTEXT=kind-one');
    expect(choice).to.have.property('message').that.contains('CONTEXT=kind-two');
    expect(choice).to.have.property('message').that.contains('CONTEXT=minikube');
  });

  it('is not one that does not exist: the message lists those that do', async () => {
    const choice = chooseCluster(await found(kubeconfig('prod', 'kind-kind'), kind('kind')), 'kind');
    expect(choice).to.deep.equal({
      where: 'nowhere',
      message: 'The kubeconfig has no context "kind". There are: prod, kind-kind.',
    });
  });

  it('needs kubectl', async () => {
    const choice = chooseCluster(await found(kind('kind')), 'kind-kind');
    expect(choice)
      .to.have.property('message')
      .that.matches(/^A cluster needs kubectl/);
  });
});

describe('no cluster is used without being named', () => {
  const notesOf = async (...programs: Record<string, Partial<Outcome>>[]): Promise<string> => {
    const choice = chooseCluster(await found(...programs));
    if (choice.where !== 'here') throw new Error(JSON.stringify(choice));
    return choice.notes.join('\n');
  };

  it('if the current context is neither of kind nor of minikube', async () => {
    expect(await notesOf(kubeconfig('prod')))
      .to.contain('"prod" is left alone')
      .and.contain('make demo CONTEXT=prod');
  });

  it('if its name begins with kind-, and kind does not know it', async () => {
    expect(await notesOf(kubeconfig('kind-of-production'), kind())).to.contain('"kind-of-production" is left alone');
  });

  it('if its profile of minikube does not run: the note says how to start it', async () => {
    expect(await notesOf(kubeconfig('-'), minikube({ trial: 'Stopped' }))).to.contain('minikube start --profile trial');
  });

  it('if the kubeconfig does not have it: the note says how to get it there', async () => {
    expect(await notesOf(kubeconfig('-'), kind('trial'))).to.contain('kind export kubeconfig --name trial');
  });

  it('if kind cannot ask its container engine', async () => {
    const failing = {
      'kind get clusters': { code: 1, stderr: 'ERROR: failed to list clusters: command "docker ps" failed\n' },
    };
    expect(await notesOf(kubeconfig('kind-kind'), failing)).to.contain('make demo CONTEXT=kind-kind');
  });

  it('if minikube prints something else than JSON', async () => {
    const failing = { 'minikube profile list --output json': { stdout: '🤹  Exiting\n' } };
    expect(await notesOf(kubeconfig('minikube'), failing)).to.contain('"minikube" is left alone');
  });

  it('and without clusters the notes say what would be quicker', async () => {
    expect(await notesOf(kubeconfig('-'), kind())).to.contain('`kind create cluster`');
    expect(await notesOf()).to.equal('');
  });
});
