import { readFileSync } from 'node:fs';
import { BlockList } from 'node:net';

import { expect } from 'chai';
import { parse, parseAllDocuments } from 'yaml';

import { isBlockedAddress } from '../../../kube/egress-guard.ts';

interface Peer {
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
  readonly namespaceSelector?: { readonly matchLabels: Readonly<Record<string, string>> };
}
interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports: readonly { readonly protocol: string; readonly port: number }[];
}
interface NetworkPolicy {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly policyTypes: readonly string[];
    readonly ingress?: readonly Rule[];
    readonly egress?: readonly Rule[];
  };
}
interface Deployment {
  readonly metadata: { readonly namespace: string };
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly containers: readonly [
          { readonly ports: readonly { readonly name: string; readonly containerPort: number }[] },
        ];
      };
    };
  };
}

/** At which clouds serve the credentials of nodes. */
const METADATA = [
  ...['169.254.169.254', '169.254.170.2', '192.0.0.192', '100.100.100.200', '168.63.129.16'],
  ...['fe80::a9fe:a9fe', 'fd00:ec2::254', 'fd20:ce::254', 'fd00:c1::a9fe:a9fe'],
];

const text = (file: string): string => readFileSync(new URL(`../../../config/${file}`, import.meta.url), 'utf8');
const policies = (file: string): NetworkPolicy[] =>
  parseAllDocuments(text(file)).map((document) => document.toJS() as NetworkPolicy);

describe('the NetworkPolicies of the installation', () => {
  const deployment = parse(text('operator/deployment.yaml')) as Deployment;
  const [webhook, metrics] = policies('network/policies.yaml');
  const [egress] = policies('network/egress/policy.yaml');
  const portOf = (name: string): number | undefined =>
    deployment.spec.template.spec.containers[0].ports.find((port) => port.name === name)?.containerPort;

  it('select the pods of the operator, and nothing but the direction that they are about', () => {
    for (const policy of [webhook, metrics, egress]) {
      expect(policy?.metadata.namespace).to.equal(deployment.metadata.namespace);
      expect(deployment.spec.template.metadata.labels).to.include(policy?.spec.podSelector.matchLabels);
    }
    expect([webhook, metrics, egress].map((policy) => policy?.spec.policyTypes)).to.deep.equal([
      ['Ingress'],
      ['Ingress'],
      ['Egress'],
    ]);
  });

  it('open the port of the webhook, until somebody says from where API servers connect', () => {
    expect(webhook?.spec.ingress).to.deep.equal([{ ports: [{ protocol: 'TCP', port: portOf('webhook') }] }]);
    const { patches } = parse(text('network/api-servers/kustomization.yaml')) as {
      patches: { target: object; patch: string }[];
    };
    expect(patches.map(({ target }) => target)).to.deep.equal([
      { kind: 'NetworkPolicy', name: webhook?.metadata.name },
    ]);
    // RFC 5737: nobody has an address of it
    expect(parse(patches[0]?.patch ?? '')).to.deep.equal([
      { op: 'add', path: '/spec/ingress/0/from', value: [{ ipBlock: { cidr: '192.0.2.0/24' } }] },
    ]);
  });

  it('open the port for metrics to namespaces with a label alone', () => {
    expect(metrics?.spec.ingress).to.deep.equal([
      {
        from: [{ namespaceSelector: { matchLabels: { 'vaultinjection.dev/metrics': 'true' } } }],
        ports: [{ protocol: 'TCP', port: portOf('metrics') }],
      },
    ]);
    const guide = text('README.md');
    expect(guide).to.contain("`vaultinjection.dev/metrics: 'true'`");
  });

  it('let the operator, with the component for that, connect to anything but metadata addresses, and to DNS', () => {
    const [dns, others] = egress?.spec.egress ?? [];
    expect(dns?.to).to.equal(undefined);
    expect(dns?.ports.map(({ protocol, port }) => `${protocol} ${port}`)).to.deep.equal(['UDP 53', 'TCP 53']);
    expect(others?.ports.map(({ port }) => port)).to.deep.equal([443, 6443, 8200]);
    const refused = new BlockList();
    for (const range of others?.to?.flatMap(({ ipBlock }) => ipBlock?.except ?? []) ?? []) {
      const [address = '', bits] = range.split('/');
      refused.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4');
    }
    for (const address of METADATA) {
      expect(refused.check(address, address.includes(':') ? 'ipv6' : 'ipv4'), address).to.equal(true);
      // as the operator itself does
      expect(isBlockedAddress(address), address).to.equal(true);
    }
    for (const address of ['10.96.0.1', '192.168.1.1']) expect(refused.check(address), address).to.equal(false);
  });
});
