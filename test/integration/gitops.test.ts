import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { differences, GitOpsTools, type Stored } from './gitops-tools.ts';
import { container, deployment, policy, type Workload } from './manifests.ts';

/** What docs/guides/gitops.md says, held to a real API server: each of its statements is one of these. */

const NAMESPACE = 'gitops';
const REQUESTS = 'vault-injection-operator-requests';
const OURS = {
  'vaultinjection.dev/requested': 'Repair/0123456789ab/1/2026-01-02T03:04:05Z',
  'vaultinjection.dev/versions': '{"secret/data/shop/db":3}',
  'vaultinjection.dev/restart': 'fedcba987654',
};
const RESTART = 'vaultinjection.dev/restart';
/** The fields that a manifest sets and injection changes. */
const WORDS = ['containers[app].args', 'containers[app].command'];
/** What changes when the rule does: the record, and the configuration of vault-env. */
const RULE = [
  'containers[app].env[VAULT_ENV_CONFIG].value',
  'spec.template.metadata.annotations.vaultinjection.dev/injected',
  'spec.template.metadata.annotations.vaultinjection.dev/original',
];

describe('what GitOps tools see on a real API server', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let operator: RunningOperator;
  let cluster: Cluster;
  let tools: GitOpsTools;

  before(async () => {
    plane = await startControlPlane({ controllers: false }); // whose writes of status would look like writes of ours
    operator = await startOperator({ controlPlane: plane });
    cluster = new Cluster(plane);
    tools = new GitOpsTools(plane);
    await cluster.namespace(NAMESPACE);
    await cluster.policy(shop('shop'));
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  /** Knows the entry point of the image, so that a container need not set a command. */
  function shop(role: string): Record<string, unknown> {
    const images = [{ match: 'registry.example.com/*', entrypoint: ['/bin/shop'], cmd: ['serve'] }];
    const vault = { address: 'https://vault.example.com:8200', auth: { role } };
    return policy(NAMESPACE, 'shop', { vault, images });
  }

  /** Beside the container with the reference: lists of each kind, into which injection puts something as well. */
  function manifestOf(name: string): Workload {
    const manifest = deployment(NAMESPACE, name);
    const { spec } = manifest.spec.template;
    Object.assign(app(manifest), { volumeMounts: [{ name: 'data', mountPath: '/data' }] });
    Object.assign(spec, {
      initContainers: [{ name: 'prepare', image: 'registry.example.com/prepare:1', command: ['/prepare'] }],
      volumes: [{ name: 'data', emptyDir: {} }],
    });
    spec.containers.push({ name: 'proxy', image: 'registry.example.com/proxy:1', args: ['--quiet'] });
    return manifest;
  }

  function withoutWords(name: string): Workload {
    const manifest = manifestOf(name);
    delete app(manifest).command;
    delete app(manifest).args;
    return manifest;
  }

  const serverSide = (manager: string, ...more: string[]): string[] => [
    '--server-side',
    `--field-manager=${manager}`,
    ...more,
  ];

  async function applied(manifest: Workload, ...flags: string[]): Promise<Stored> {
    await cluster.apply(manifest, ...flags);
    const live = await tools.live(manifest);
    expect(templateOf(live).spec.containers[0]?.args?.slice(0, 2)).to.deep.equal(['--', '/bin/shop']);
    return live;
  }

  /** Applies some more times and sees that nothing is written. */
  async function expectNoWrites(manifest: Workload, ...flags: string[]): Promise<void> {
    const { resourceVersion } = (await tools.live(manifest)).metadata;
    for (let times = 0; times < 4; times++) await cluster.apply(manifest, ...flags);
    expect((await tools.live(manifest)).metadata.resourceVersion).to.equal(resourceVersion);
  }

  it('owns no field of a workload: nothing to name in managedFieldsManagers', async () => {
    const { metadata } = await applied(manifestOf('owners'), ...serverSide('argocd-controller'));
    const managers = (metadata.managedFields ?? []).map(({ manager }) => manager).sort();
    expect(managers).to.deep.equal(['argocd-controller']);
  });

  describe('Argo CD without settings', () => {
    it('shows the command and the args of an injected container as drift, and nothing else', async () => {
      const manifest = manifestOf('argo-plain');
      await applied(manifest);
      expect(await tools.argoDiff(manifest)).to.deep.equal(WORDS);
    });

    it('shows no drift if the manifest leaves both to the image', async () => {
      const manifest = withoutWords('argo-image');
      await applied(manifest);
      expect(await tools.argoDiff(manifest)).to.deep.equal([]);
    });

    it('also shows what really differs', async () => {
      const manifest = manifestOf('argo-edited');
      await applied(manifest);
      await cluster.kubectl('set', 'image', 'deployment/argo-edited', '-n', NAMESPACE, 'proxy=example.com/other:1');
      expect(await tools.argoDiff(manifest)).to.deep.equal([...WORDS, 'containers[proxy].image']);
    });

    it('writes nothing when it synchronizes all the same', async () => {
      const manifest = manifestOf('argo-synced');
      await applied(manifest);
      await expectNoWrites(manifest);
    });
  });

  describe('Argo CD with ServerSideDiff', () => {
    for (const [how, flags] of [
      ['client-side', []],
      ['server-side', serverSide('argocd-controller', '--force-conflicts')],
    ] as const) {
      for (const include of [false, true]) {
        it(`shows no drift of what it applied ${how}, IncludeMutationWebhook=${include}`, async () => {
          const manifest = manifestOf(`argo-${how}-${include}`);
          await applied(manifest, ...flags);
          expect(await tools.argoServerSideDiff(manifest, include)).to.deep.equal([]);
        });
      }
    }

    it('shows what really differs, and nothing else', async () => {
      const manifest = manifestOf('argo-drift');
      await applied(manifest, ...serverSide('argocd-controller', '--force-conflicts'));
      await cluster.kubectl('set', 'image', 'deployment/argo-drift', '-n', NAMESPACE, 'app=example.com/other:1');
      expect(await tools.argoServerSideDiff(manifest, false)).to.deep.equal(['containers[app].image']);
    });
  });

  describe('Flux', () => {
    it('finds no drift and writes nothing, however often it reconciles', async () => {
      const manifest = manifestOf('flux');
      await applied(manifest, ...serverSide('kustomize-controller', '--force-conflicts'));
      const { resourceVersion } = (await tools.live(manifest)).metadata;
      for (let times = 0; times < 4; times++) expect(await tools.fluxReconcile(manifest)).to.deep.equal([]);
      expect((await tools.live(manifest)).metadata.resourceVersion).to.equal(resourceVersion);
      await expectNoWrites(manifest, ...serverSide('kustomize-controller', '--force-conflicts'));
    });

    it('takes a workload over from kubectl without a change of its template', async () => {
      const manifest = manifestOf('flux-takes-over');
      const before = await applied(manifest);
      await cluster.apply(manifest, ...serverSide('kustomize-controller', '--force-conflicts'));
      expect(templateOf(await tools.live(manifest))).to.deep.equal(templateOf(before));
      expect(await tools.fluxReconcile(manifest)).to.deep.equal([]);
    });
  });

  it('is the same for a StatefulSet', async () => {
    const manifest = manifestOf('stateful');
    manifest.kind = 'StatefulSet';
    Object.assign(manifest.spec, { serviceName: 'stateful' });
    await applied(manifest);
    expect(await tools.argoDiff(manifest)).to.deep.equal(WORDS);
    expect(await tools.argoServerSideDiff(manifest, true)).to.deep.equal([]);
    expect(await tools.fluxReconcile(manifest)).to.deep.equal([]);
    await expectNoWrites(manifest);
  });

  describe('a changed policy', () => {
    /** Two workloads, admitted under one role and seen under another. */
    async function outdated(prefix: string, manager: string): Promise<[Workload, Workload]> {
      await cluster.policy(shop(`${prefix}-before`));
      const manifests: [Workload, Workload] = [manifestOf(`${prefix}-words`), withoutWords(`${prefix}-image`)];
      for (const manifest of manifests) await applied(manifest, ...serverSide(manager, '--force-conflicts'));
      await cluster.policy(shop(`${prefix}-after`));
      await eventually('the rule to be in force', async () =>
        roleOf(await tools.dryRun(manifests[0], manager)) === `${prefix}-after` ? true : undefined,
      );
      return manifests;
    }

    it('is drift to Flux if the manifest sets a command or args, and its next reconciliation rolls it out', async () => {
      const [words, image] = await outdated('flux', 'kustomize-controller');
      expect(await tools.fluxReconcile(words)).to.deep.equal(RULE);
      expect(roleOf(await tools.live(words))).to.equal('flux-after');
      expect(await tools.fluxReconcile(words)).to.deep.equal([]);
      expect(await tools.fluxReconcile(image), 'nothing is changed, so the webhook is not asked').to.deep.equal([]);
      expect(roleOf(await tools.live(image))).to.equal('flux-before');
    });

    it('is no drift to Argo CD with ServerSideDiff, unless IncludeMutationWebhook is set', async () => {
      const [words, image] = await outdated('argo', 'argocd-controller');
      expect(await tools.argoServerSideDiff(words, false)).to.deep.equal([]);
      expect(await tools.argoServerSideDiff(words, true)).to.deep.equal([...RULE, 'metadata.generation'].sort());
      expect(await tools.argoServerSideDiff(image, true)).to.deep.equal([]);
      expect(roleOf(await tools.live(words)), 'looking is not touching').to.equal('argo-before');
    });

    it('is rolled out by any apply of a manifest that sets a command or args', async () => {
      const [words] = await outdated('apply', 'argocd-controller');
      await cluster.apply(words, ...serverSide('argocd-controller', '--force-conflicts'));
      expect(roleOf(await tools.live(words))).to.equal('apply-after');
    });
  });

  describe('changes of the manifest', () => {
    const changes: [what: string, change: (manifest: Workload) => void][] = [
      ['other args', (manifest) => (app(manifest).args = ['serve', '--port=9090'])],
      ['no args', (manifest) => delete app(manifest).args],
      ['no command and no args', (manifest) => Object.assign(app(manifest), { command: undefined, args: undefined })],
      ['no reference any more', (manifest) => (app(manifest).env = [{ name: 'PORT', value: '1' }])],
      ['no second container', (manifest) => manifest.spec.template.spec.containers.pop()],
      ['another reference', (manifest) => app(manifest).env?.push({ name: 'KEY', value: 'vault:secret/data/x#key' })],
    ];
    for (const [manager, ...force] of [
      ['argocd-controller', '--force-conflicts'],
      ['kustomize-controller', '--force-conflicts'],
      ['helm'], // version 4: no force by default
    ]) {
      for (const [index, [what, change]] of changes.entries()) {
        it(`go through with ${manager}: ${what}`, async () => {
          const flags = serverSide(manager ?? '', ...force);
          const manifest = manifestOf(`${manager}-${index}`);
          await applied(manifest, ...flags);
          change(manifest);
          await cluster.apply(manifest, ...flags);
          expect(templateOf(await tools.live(manifest))).to.deep.equal(await cluster.fresh(manifest));
          await expectNoWrites(manifest, ...flags);
        });
      }
    }
  });

  describe('kubectl, from client-side to server-side apply', () => {
    /** The changed lines of `kubectl diff`, without kubectl's own note of the manifest and the generation. */
    async function lookBeforeForce(manifest: Workload): Promise<string[]> {
      const look = ['diff', '--server-side', '--force-conflicts', '-f', '-'];
      const { stdout } = await plane.kubectl(look, JSON.stringify(manifest));
      const changed = stdout.split('\n').filter((line) => /^[-+] /.test(line));
      return changed.filter((line) => !/^[-+]\s+(\{"apiVersion"|generation: )/.test(line));
    }

    it('reports a conflict with itself on command and args, which one --force-conflicts ends for good', async () => {
      const manifest = manifestOf('moving');
      const before = await applied(manifest);
      const refusal = await cluster
        .apply(manifest, '--server-side')
        .catch((error: unknown) => (error as Error).message);
      expect(refusal).to.match(/2 conflicts: conflicts with "kubectl-client-side-apply" using apps\/v1:\n/);
      expect([...refusal.matchAll(/^- \.spec\.template\.spec\.(.*)$/gm)].map(([, path]) => path)).to.deep.equal([
        'containers[name="app"].args',
        'containers[name="app"].command',
      ]);

      expect(await lookBeforeForce(manifest), 'the diff that says whether force is safe').to.deep.equal([]);
      await cluster.apply(manifest, '--server-side', '--force-conflicts');
      expect(templateOf(await tools.live(manifest))).to.deep.equal(templateOf(before));
      await expectNoWrites(manifest, '--server-side');
      app(manifest).args = ['serve', '--port=9090'];
      await cluster.apply(manifest, '--server-side');
      expect(templateOf(await tools.live(manifest))).to.deep.equal(await cluster.fresh(manifest));
    });

    it('reports none if the manifest leaves command and args to the image', async () => {
      const manifest = withoutWords('moving-image');
      const before = await applied(manifest);
      await cluster.apply(manifest, '--server-side');
      expect(templateOf(await tools.live(manifest))).to.deep.equal(templateOf(before));
    });

    it('shows a change made in between in the diff before the force', async () => {
      const manifest = manifestOf('moving-edited');
      await applied(manifest);
      const edit = [{ op: 'replace', path: '/spec/template/spec/containers/0/command', value: ['/bin/debug'] }];
      await cluster.kubectl(
        ...['patch', 'deployment', 'moving-edited', '-n', NAMESPACE, '--type=json', '-p', JSON.stringify(edit)],
      );
      const look = ['diff', '--server-side', '--force-conflicts', '-f', '-'];
      const { code, stdout } = await plane.kubectl(look, JSON.stringify(manifest));
      expect(code).to.equal(1);
      expect(stdout)
        .to.match(/^-.*\/bin\/debug/m)
        .and.to.match(/^\+.*\/bin\/shop/m);
    });

    it('sees no difference with kubectl diff', async () => {
      const manifest = manifestOf('diffed');
      await applied(manifest);
      const { code, stdout } = await plane.kubectl(['diff', '-f', '-'], JSON.stringify(manifest));
      expect([code, stdout]).to.deep.equal([0, '']);
    });
  });

  describe("the operator's annotations on a workload", () => {
    async function touched(manifest: Workload, ...flags: string[]): Promise<Stored> {
      await applied(manifest, ...flags);
      const body = JSON.stringify({ metadata: { annotations: OURS } });
      const patch = ['patch', 'deployment', manifest.metadata.name, '-n', NAMESPACE, '--type=merge', '-p', body];
      await cluster.kubectl(...patch, `--field-manager=${REQUESTS}`);
      return tools.live(manifest);
    }

    it('are all that its field manager owns', async () => {
      const { metadata } = await touched(manifestOf('touched'), ...serverSide('argocd-controller'));
      const { fieldsV1 = {} } = metadata.managedFields?.find(({ manager }) => manager === REQUESTS) ?? {};
      const names = Object.keys((fieldsV1['f:metadata'] as Record<string, object>)['f:annotations'] ?? {});
      expect(Object.keys(fieldsV1)).to.deep.equal(['f:metadata']);
      // '.' is the map itself
      expect(names.filter((name) => name !== '.')).to.have.members(Object.keys(OURS).map((name) => `f:${name}`));
    });

    const appliers: [how: string, flags: string[]][] = [
      ['client-side apply', []],
      ['server-side apply by Argo CD', serverSide('argocd-controller', '--force-conflicts')],
      ['server-side apply by Flux', serverSide('kustomize-controller', '--force-conflicts')],
      ['server-side apply by Helm', serverSide('helm')],
    ];
    for (const [index, [how, flags]] of appliers.entries()) {
      it(`stay through ${how}, of the same manifest and of another`, async () => {
        const manifest = manifestOf(`kept-${index}`);
        const before = await touched(manifest, ...flags);
        // The first client-side apply after another's write has its entry of managedFields moved behind that one's: by
        // their times, which are whole seconds.
        await sleep(1_100);
        await cluster.apply(manifest, ...flags);
        const changed = differences(before, await tools.live(manifest));
        expect(changed.filter((path) => path !== 'metadata.resourceVersion')).to.deep.equal([]);
        await expectNoWrites(manifest, ...flags);
        app(manifest).args = ['serve', '--port=9090'];
        manifest.metadata.annotations = { team: 'shop' };
        await cluster.apply(manifest, ...flags);
        const { annotations } = (await tools.live(manifest)).metadata;
        expect(annotations).to.include({ ...OURS, team: 'shop' });
      });
    }

    it('are no drift: to Argo CD in either way, to Flux', async () => {
      const manifest = manifestOf('no-drift');
      await touched(manifest, ...serverSide('kustomize-controller'));
      expect(await tools.fluxReconcile(manifest)).to.deep.equal([]);
      expect(await tools.argoServerSideDiff(manifest, true)).to.deep.equal([]);
      const client = manifestOf('no-drift-client');
      await touched(client);
      expect(await tools.argoDiff(client)).to.deep.equal(WORDS);
    });

    it('restart the pods through admission, so that no apply undoes it', async () => {
      for (const [index, [, flags]] of appliers.entries()) {
        const manifest = manifestOf(`restarted-${index}`);
        const before = templateOf(await applied(manifest, ...flags));
        const template = templateOf(await touched(manifest, ...flags));
        const annotations = { ...before.metadata.annotations, [RESTART]: OURS[RESTART] };
        expect(template).to.deep.equal({ ...before, metadata: { ...before.metadata, annotations } });
        await cluster.apply(manifest, ...flags);
        expect(templateOf(await tools.live(manifest))).to.deep.equal(template);
      }
    });

    it('are removed by kubectl replace (Replace=true of Argo CD): pods restart once more, the injection stays', async () => {
      const manifest = manifestOf('replaced');
      const injected = templateOf(await applied(manifest));
      await touched(manifest);
      await plane.kubectlOk(['replace', '-f', '-'], JSON.stringify(manifest));
      const after = await tools.live(manifest);
      expect(after.metadata.annotations ?? {}).to.not.have.any.keys(...Object.keys(OURS));
      expect(templateOf(after)).to.deep.equal(injected);
    });
  });

  it('find a workload that the operator had injected later as if it had been injected from the beginning', async () => {
    await cluster.namespace('later');
    const manifest = manifestOf('late');
    manifest.metadata.namespace = 'later';
    const flags = serverSide('helm');
    await cluster.apply(manifest, ...flags);
    const spec = { ...(shop('shop').spec as object), rollout: { strategy: 'Automatic' } };
    await cluster.policy({ ...shop('shop'), metadata: { name: 'shop', namespace: 'later' }, ...{ spec } });
    const live = await eventually('the operator to have it injected', async () => {
      const found = await tools.live(manifest);
      return templateOf(found).spec.containers[0]?.command?.[0] === WRAPPER ? found : undefined;
    });
    const managers = (live.metadata.managedFields ?? []).map(({ manager }) => manager);
    expect(managers, 'which owns an annotation').to.have.members(['helm', REQUESTS]);
    expect(await tools.argoServerSideDiff(manifest, true)).to.deep.equal([]);
    await expectNoWrites(manifest, ...flags); // without force: nobody else has come to own a field of the template
  });
});

interface Template {
  metadata: { annotations?: Record<string, string> };
  spec: { containers: { command?: string[]; args?: string[]; env?: { name: string; value?: string }[] }[] };
}

const templateOf = (object: Stored): Template => object.spec.template as Template;

function roleOf(object: Stored): string | undefined {
  const variable = templateOf(object).spec.containers[0]?.env?.find(({ name }) => name === 'VAULT_ENV_CONFIG');
  const config = JSON.parse(variable?.value ?? '{}') as { vault?: { auth?: { role?: string } } };
  return config.vault?.auth?.role;
}

function app(manifest: Workload): ReturnType<typeof container> {
  const [first] = manifest.spec.template.spec.containers;
  if (first === undefined) throw new Error('the manifest has no container');
  return first;
}
