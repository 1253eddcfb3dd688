/** Whether API servers reach the webhook, told by the real API server: at a wrong port, at the right one, by a Service. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

import { expect } from 'chai';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { freePorts } from '../support/ports.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { deployment, policy } from './manifests.ts';

interface Condition {
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
}

describe('whether API servers reach the webhook', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator | undefined;
  let calledPort: number;
  let way: Way | undefined;

  before(async () => {
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    [calledPort = 0] = await freePorts(1);
    operator = await start();
    await cluster.namespace('shop');
    await cluster.apply(policy('shop', 'shop'));
  });
  after(async () => {
    await operator?.stop();
    await way?.close();
    await plane.stop();
  });

  /** An operator that API servers are told to call at another port than that at which it listens. */
  function start(
    flags: readonly string[] = ['--webhook-url', `https://127.0.0.1:${calledPort}`],
  ): Promise<RunningOperator> {
    return startOperator({ controlPlane: plane, flags });
  }

  async function conditionOf(type: string): Promise<Condition> {
    const found = JSON.parse(await cluster.kubectl('get', 'vip', 'shop', '-n', 'shop', '-o', 'json')) as {
      status?: { conditions?: (Condition & { type: string })[] };
    };
    return found.status?.conditions?.find((one) => one.type === type) ?? {};
  }

  const entries = (): Promise<string> =>
    cluster.kubectl(
      'get',
      'mutatingwebhookconfiguration',
      'vault-injection-operator',
      '-o',
      'jsonpath={.webhooks[*].name}',
    );
  const metrics = async (): Promise<string> => (await operator?.health('/metrics'))?.body ?? '';

  it('is denied in the words of the API server where the port is wrong, with what to do', async () => {
    await cluster.policyIs('shop', 'shop', 'WebhookReachable', 'False');
    const { reason, message } = await conditionOf('WebhookReachable');
    expect(reason).to.equal('WebhookUnreachable');
    expect(message)
      .to.contain(`the API server says: Post "https://127.0.0.1:${calledPort}/mutate/…/probe?timeout=5s": dial tcp`)
      .and.contain('connection refused')
      .and.contain('--webhook-port');
    expect(await conditionOf('Ready')).to.include({ status: 'False', reason: 'WebhookUnreachable' });
    expect((await conditionOf('Stalled')).status).to.equal('True');
    expect(await metrics()).to.match(/^vault_injection_webhook_reachable 0$/m);
  });

  it('keeps every workload out of the Fail entry until then: it can be created', async () => {
    expect(await entries()).to.equal('ignore.vaultinjection.dev probe.vaultinjection.dev');
    await cluster.apply(deployment('shop', 'before'));
    await cluster.policyIs('shop', 'shop', 'Programmed', 'False');
  });

  it('is told soon after somebody has repaired the way, and then Fail is Fail', async () => {
    way = await openWay(calledPort, Number(new URL(operator?.webhookUrl ?? '').port));
    await cluster.policyIs('shop', 'shop', 'WebhookReachable', 'True');
    await cluster.policyIs('shop', 'shop', 'Ready', 'True');
    expect(await entries()).to.equal('fail.vaultinjection.dev probe.vaultinjection.dev');
    await cluster.apply(deployment('shop', 'repaired'));
    const live = await cluster.get('shop', 'repaired');
    expect(live.spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
    expect(await metrics()).to.match(/^vault_injection_webhook_reachable 1$/m);
    const stored = await plane.kubectl([
      'get',
      'configmap',
      'vault-injection-operator-probe',
      '-n',
      'vault-injection-system',
    ]);
    expect(stored.stderr, 'the probe is never stored').to.contain('not found');
  });

  it('is proven also where somebody has stored an object with the name of the probe', async () => {
    const probe = ['configmap', 'vault-injection-operator-probe', '-n', 'vault-injection-system'];
    await cluster.kubectl('create', ...probe);
    await operator?.stop();
    operator = await start([]);
    await eventually(
      'the webhook to be reached',
      async () => /^vault_injection_webhook_reachable 1$/m.test(await metrics()) || undefined,
    );
    await cluster.kubectl('delete', ...probe);
  });

  it('leaves the Fail entry where it is when an operator starts that cannot be reached', async () => {
    await operator?.stop();
    await way?.close();
    operator = await start();
    await cluster.policyIs('shop', 'shop', 'WebhookReachable', 'False');
    expect(await entries()).to.equal('fail.vaultinjection.dev probe.vaultinjection.dev');
  });

  it('is denied where there is no Service that leads to the operator', async () => {
    await operator?.stop();
    operator = await startOperator({ controlPlane: plane, service: 'absent' });
    await eventually('the condition to name the Service', async () => {
      const { message = '' } = await conditionOf('WebhookReachable');
      return message.includes('service "absent" not found') && message.includes('--webhook-service') ? true : undefined;
    });
  });
});

interface Way {
  close(): Promise<void>;
}

/** Opens a port of this machine that leads to another one. */
async function openWay(from: number, to: number): Promise<Way> {
  const open = new Set<Socket>();
  const server: Server = createServer((incoming) => {
    const onward = connect(to, '127.0.0.1');
    for (const socket of [incoming, onward]) {
      open.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          open.delete(socket);
          incoming.destroy();
          onward.destroy();
        });
    }
    incoming.pipe(onward).pipe(incoming);
  });
  server.listen(from, '127.0.0.1');
  await once(server, 'listening');
  expect((server.address() as AddressInfo).port).to.equal(from);
  return {
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
