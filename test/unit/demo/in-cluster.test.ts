import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { chartValues, withImages } from '../../demo/install-operator.ts';
import { howToGoOn } from '../../demo/how-to-go-on.ts';
import { lookAt, whatIsInTheWay, type Seen } from '../../demo/look-at-cluster.ts';
import { removeDemo } from '../../demo/remove.ts';
import type { Run } from '../../demo/programs.ts';
import { labelled, TrialCluster } from '../../demo/trial-cluster.ts';

const IMAGES = { operator: 'registry.example.com:5000/team/op:1', vaultEnv: 'localhost/vault-env:1' };
const EMPTY: Seen = {
  version: 'v1.34.0',
  architectures: ['amd64'],
  ofDemo: [],
  taken: [],
  hasOperator: false,
  hasCrd: false,
};

/** Stands in for kubectl and helm: what a command line that contains the key prints. Everything else prints nothing. */
function clusterThatSays(
  answers: Readonly<Record<string, string>>,
  fails: readonly string[] = [],
): [TrialCluster, string[]] {
  const commands: string[] = [];
  const run: Run = (program, args, stdin = '') => {
    const command = [program, ...args].join(' ');
    commands.push(stdin === '' ? command : `${command} < ${stdin}`);
    const answer = Object.entries(answers).find(([part]) => command.includes(part))?.[1] ?? '';
    const failed = fails.some((part) => command.includes(part));
    return Promise.resolve({
      stdout: answer,
      stderr: failed ? 'error: the server doesn\'t have a resource type "x"' : '',
      code: failed ? 1 : 0,
    });
  };
  return [new TrialCluster(run, 'kubectl', 'kind-kind'), commands];
}

const SERVER = { 'version -o json': '{"serverVersion":{"gitVersion":"v1.34.0"}}', 'get nodes': 'amd64 arm64' };

describe('what is in a cluster before the demo', () => {
  it('is nothing of ours in a new one', async () => {
    const [cluster, commands] = clusterThatSays({
      ...SERVER,
      'get namespaces -l !': 'namespace/default\nnamespace/kube-system\n',
    });
    expect(await lookAt(cluster)).to.deep.equal({ ...EMPTY, architectures: ['amd64', 'arm64'] });
    for (const command of commands) expect(command).to.match(/^kubectl --context kind-kind (get|version) /);
  });

  it('is an operator, a namespace or a CRD that somebody else has made', async () => {
    const [cluster] = clusterThatSays({
      ...SERVER,
      'get namespaces -l !': 'namespace/vault\nnamespace/vault-two\n',
      'get deployments -l !': 'deployment.apps/vault-injection-operator\n',
      'get customresourcedefinitions -l !':
        'customresourcedefinition.apiextensions.k8s.io/vaultinjectionpolicies.vaultinjection.dev\n',
    });
    expect(await lookAt(cluster))
      .to.include({ hasOperator: true, hasCrd: true })
      .and.deep.include({ taken: ['namespace/vault'] });
  });

  it('is an earlier demo, whose webhook configuration is no operator of somebody else', async () => {
    const [cluster] = clusterThatSays({
      ...SERVER,
      'get namespaces -l vaultinjection.dev/demo=true': 'namespace/shop\nnamespace/vault-injection-system\n',
      'get mutatingwebhookconfigurations':
        'mutatingwebhookconfiguration.admissionregistration.k8s.io/vault-injection-operator\n',
    });
    expect(await lookAt(cluster))
      .to.include({ hasOperator: false })
      .and.deep.include({ ofDemo: ['shop', 'vault-injection-system'] });
  });

  it('may be in the way', () => {
    expect(whatIsInTheWay(EMPTY, 'kind-kind')).to.be.undefined;
    expect(whatIsInTheWay({ ...EMPTY, hasCrd: true }, 'kind-kind')).to.be.undefined;
    expect(whatIsInTheWay({ ...EMPTY, hasOperator: true }, 'kind-kind'))
      .to.contain('already')
      .and.contain('kind create cluster');
    expect(whatIsInTheWay({ ...EMPTY, taken: ['namespace/shop'] }, 'kind-kind')).to.contain('namespace/shop already');
    expect(whatIsInTheWay({ ...EMPTY, architectures: [] }, 'kind-kind')).to.contain('no nodes');
  });
});

describe('the demo in a cluster', () => {
  it('gives all that it makes its label', async () => {
    expect(labelled({ kind: 'Secret', metadata: { name: 'a', labels: { b: 'c' } } })).to.deep.equal({
      kind: 'Secret',
      metadata: { name: 'a', labels: { b: 'c', 'vaultinjection.dev/demo': 'true' } },
    });
    const [cluster, commands] = clusterThatSays({});
    await cluster.apply([{ kind: 'Namespace', metadata: { name: 'shop' } }]);
    expect(commands[0]).to.contain('"labels":{"vaultinjection.dev/demo":"true"}');
    expect(chartValues(IMAGES, true)).to.deep.include({ commonLabels: { 'vaultinjection.dev/demo': 'true' } });
  });

  it('gives the chart whole names, also with a port', () => {
    expect(chartValues(IMAGES, false)).to.deep.include({
      image: { registry: '', repository: 'registry.example.com:5000/team/op', tag: '1' },
      injector: { image: { registry: '', repository: 'localhost/vault-env', tag: '1' } },
      crds: { enabled: false },
    });
  });

  it('puts its images into config/default where there is no helm', () => {
    const file = new URL('../../../config/operator/deployment.yaml', import.meta.url);
    const [deployment] = withImages(readFileSync(file, 'utf8'), IMAGES);
    const [container] = deployment?.spec?.template?.spec.containers ?? [];
    expect(container?.image).to.equal(IMAGES.operator);
    expect(container?.env).to.deep.include({ name: 'VAULT_INJECTION_INJECTOR_IMAGE', value: IMAGES.vaultEnv });
  });

  it('begins no further command after an interruption, until it cleans up', async () => {
    const [cluster, commands] = clusterThatSays({});
    cluster.interrupt();
    const error = await cluster.kubectl('get', 'pods').catch((cause: unknown) => cause);
    expect(error).to.have.property('name', 'AbortError');
    expect(commands).to.be.empty;
    cluster.resume();
    await removeDemo(cluster, () => undefined);
    expect(commands).to.not.be.empty;
  });

  it('prints commands that name the context, unless it is the current one', () => {
    const kubectl = 'kubectl --context kind-two';
    const text = howToGoOn({
      kubectl,
      vault: 'vault',
      first: ['export A=b'],
      aboutVault: [],
      pods: true,
      end: ['make demo-clean'],
    });
    const commands = text.split('\n').filter((line) => line.trimStart().startsWith('kubectl'));
    expect(commands.length).to.be.greaterThan(12);
    for (const command of commands) expect(command).to.match(/^ {2}kubectl --context kind-two /);
  });

  it('names only things to try that can be tried where there are no pods', () => {
    const text = howToGoOn({ kubectl: 'kubectl', vault: 'vault', first: [], aboutVault: [], pods: false, end: [] });
    expect(text).to.contain('1. Delete the policy').and.not.contain('kubectl logs');
    expect(text).to.not.contain('2. ').and.not.contain('cronjob/backup');
  });
});

describe('make demo-clean', () => {
  const OURS = {
    'get namespaces -l vaultinjection.dev/demo=true':
      'namespace/shop\nnamespace/vault-injection-system\nnamespace/vault\n',
  };
  const deletions = (commands: readonly string[]): string[] =>
    commands
      .filter((command) => / (delete|uninstall) /.test(command))
      .map((command) => command.replace(/^\w+ --\S+ \S+ /, ''));

  it('removes workloads first, then the operator, and then what has the label', async () => {
    const [cluster, commands] = clusterThatSays(OURS);
    await removeDemo(cluster, () => undefined);
    const done = deletions(commands);
    expect(done[0]).to.match(/^delete namespace shop vault /);
    expect(done[1]).to.match(/^uninstall vault-injection-operator /);
    expect(done[2]).to.match(/^delete namespace vault-injection-system /);
    for (const command of done.slice(3).filter((one) => !one.includes('mutatingwebhookconfiguration ')))
      expect(command).to.contain('-l vaultinjection.dev/demo=true');
  });

  it('deletes no webhook configuration and no release where it has not installed the operator', async () => {
    const [cluster, commands] = clusterThatSays({});
    await removeDemo(cluster, () => undefined);
    for (const command of deletions(commands)) expect(command).to.contain('-l vaultinjection.dev/demo=true');
  });

  it('leaves the CRD while there are policies', async () => {
    const crd = {
      'get crd -l': 'customresourcedefinition.apiextensions.k8s.io/vaultinjectionpolicies.vaultinjection.dev\n',
    };
    const said: string[] = [];
    const [busy, commands] = clusterThatSays({
      ...crd,
      'get vaultinjectionpolicies.vaultinjection.dev': 'vaultinjectionpolicy/mine\n',
    });
    await removeDemo(busy, (line) => said.push(line));
    expect(deletions(commands).join('\n')).to.not.contain('delete crd');
    expect(said.join('\n')).to.contain('stays');
    const [idle, more] = clusterThatSays(crd);
    await removeDemo(idle, () => undefined);
    expect(deletions(more).join('\n')).to.contain('delete crd vaultinjectionpolicies.vaultinjection.dev');
  });

  it('works on API servers that do not know all kinds', async () => {
    const [cluster, commands] = clusterThatSays(OURS, ['delete mutatingadmissionpolic']);
    await removeDemo(cluster, () => undefined);
    expect(commands.at(-1)).to.contain('get crd');
  });

  it('removes by label what kubectl has installed', async () => {
    const [cluster, commands] = clusterThatSays(OURS, ['status vault-injection-operator']);
    await removeDemo(cluster, () => undefined);
    expect(deletions(commands).join('\n')).to.not.contain('uninstall');
  });

  it('does not need helm', async () => {
    const [cluster, commands] = clusterThatSays(OURS, ['helm version']);
    await removeDemo(cluster, () => undefined);
    expect(deletions(commands).some((command) => command.startsWith('delete namespace vault-injection-system'))).to.be
      .true;
  });
});
