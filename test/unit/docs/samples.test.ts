import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parse, parseAllDocuments } from 'yaml';
import { compilePolicy } from '../../../core/policy/compile.ts';
import { matchingRules } from '../../../core/policy/match.ts';
import { RuleCache } from '../../../operator/policies/rule-cache.ts';
import type { Rule } from '../../../core/policy/rule.ts';
import { defaults, validate } from '../../support/example-policy.ts';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly labels?: Readonly<Record<string, string>> };
}

function documents(file: string): Manifest[] {
  const text = readFileSync(new URL(`../../../samples/${file}.yaml`, import.meta.url), 'utf8');
  return parseAllDocuments(text, { merge: true }).map((document) => document.toJS() as Manifest);
}

function compiled(policy: unknown): Rule {
  const checked = validate(policy);
  if (!checked.ok) throw new Error(checked.problems.join('; '));
  const result = compilePolicy(checked.policy, defaults);
  if (!result.ok) throw new Error(result.message);
  if (result.suspended) throw new Error('suspended');
  return result.rule;
}

describe('in the samples', () => {
  const cache = new RuleCache();
  before(() => {
    const policies = ['shop', 'database', 'self-service'].flatMap((name) => documents(`policies/${name}`));
    for (const each of policies) cache.set(compiled(each));
  });

  const winners = {
    web: 'shop',
    database: 'database',
    report: 'self-service',
    agent: 'shop',
    backup: 'shop',
    migrate: 'shop',
  };
  for (const [workload, policy] of Object.entries(winners))
    it(`the policy ${policy} compiles and applies to ${workload}`, () => {
      const { kind, metadata } = documents(`workloads/${workload}`).find((one) => one.kind !== 'Service') ?? {};
      const rules = cache.snapshot().rulesFor(metadata?.namespace ?? '');
      const [winner] = matchingRules(rules, kind ?? '', metadata?.labels ?? {});
      expect(winner?.policy.name).to.equal(policy);
    });
});

describe('samples/kind', () => {
  const text = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
  const cluster = parse(text('samples/kind/cluster.yaml')) as { nodes: readonly Record<string, unknown>[] };

  // kind refuses any field that it does not know. Source: pkg/apis/config/v1alpha4/types.go of kind 0.33.0
  it('has only fields of kind.x-k8s.io/v1alpha4', () => {
    expect(cluster).to.include({ kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4' });
    const ofCluster = [
      'name',
      'networking',
      'featureGates',
      'runtimeConfig',
      'kubeadmConfigPatches',
      'containerdConfigPatches',
    ];
    expect(['kind', 'apiVersion', 'nodes', ...ofCluster]).to.include.members(Object.keys(cluster));
    const ofNode = ['role', 'image', 'labels', 'extraMounts', 'extraPortMappings', 'kubeadmConfigPatches'];
    for (const node of cluster.nodes) {
      expect(ofNode).to.include.members(Object.keys(node));
      expect(node.role).to.be.oneOf(['control-plane', 'worker']);
    }
    expect(cluster.nodes.filter(({ role }) => role === 'control-plane')).to.have.length(1);
  });

  it('has the version of Kubernetes that the API server of the tests has, by digest', () => {
    const tools = JSON.parse(text('build/tools/tools.json')) as Record<string, { version: string }>;
    const [minor] = /^v1\.\d+/.exec(tools['kube-apiserver']?.version ?? '') ?? [];
    for (const { image } of cluster.nodes)
      expect(image)
        .to.match(/^kindest\/node:v[\d.]+@sha256:[0-9a-f]{64}$/)
        .and.contain(`:${minor ?? 'none'}.`);
  });

  it('is what getting started begins with, and its README adds nodes of the same image', () => {
    expect(text('docs/getting-started.md')).to.contain('kind create cluster --config samples/kind/cluster.yaml\n');
    const images = Array.from(text('samples/kind/README.md').matchAll(/image: (\S+)/g), ([, image]) => image);
    expect(images).to.have.length(2);
    for (const image of images) expect(image).to.equal(cluster.nodes[0]?.image);
  });
});
