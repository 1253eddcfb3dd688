import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect } from 'chai';
import { Registry as Register } from 'prom-client';

import { createRotation } from '../../../../operator/rotation/create.ts';
import { whileLeading } from '../../../../kube/while-leading.ts';
import { systemClock } from '../../../../kube/clock.ts';
import { eventually } from '../../../support/manual-clock.ts';
import { identityWith } from '../../../support/example-identity.ts';
import { testLog } from '../../../support/test-log.ts';
import { ruleOf } from '../../../support/example-policy.ts';

describe('rotation in several replicas', () => {
  let server: Server;
  let asked: string[];

  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
      const isLogin = request.url?.endsWith('/login') === true;
      const answer = isLogin ? { auth: { client_token: 't', lease_duration: 60 } } : { data: { current_version: 2 } };
      response.end(JSON.stringify(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('asks Vault only in the leader, while it leads, and counts its requests', async () => {
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const listeners: ((leading: boolean) => void)[] = [];
    const register = new Register();
    const leader = {
      isLeader: false,
      onChange: (listener: (leading: boolean) => void) => void listeners.push(listener),
    };
    const lead = (leading: boolean): void => {
      leader.isLeader = leading;
      listeners.forEach((tell) => tell(leading));
    };
    const rotation = createRotation({
      namespace: 'system',
      vaultIdentities: [identityWith({ address })],
      client: { createToken: () => Promise.resolve('eyJ') },
      register,
      clock: systemClock,
      random: Math.random,
      logger: testLog().logger,
    });
    const { logger } = testLog();
    const name = 'rotation';
    const part = whileLeading(leader, { name, start: () => rotation.start(), stop: () => rotation.stop() }, logger);
    await part.start?.();
    const rule = ruleOf({ vault: { allowPlaintext: true, address }, rotation: { strategy: 'Restart' } });
    const reads = ['secret/data/shop/db'];
    rotation.want('shop/shop', rule, [{ key: 'web', reads, startedWith: reads, annotations: {} }]);
    await systemClock.sleep(20);
    expect(asked).to.deep.equal([]);
    lead(true);
    await eventually(() => expect(rotation.wishesOf('shop/shop')).to.have.length(1));
    lead(false);
    await eventually(() =>
      expect(asked).to.deep.equal([
        'POST /v1/auth/kubernetes/login',
        'GET /v1/secret/metadata/shop/db',
        'POST /v1/auth/token/revoke-self',
      ]),
    );
    expect(rotation.wishesOf('shop/shop')).to.deep.equal([]);
    const metrics = await register.metrics();
    expect(metrics).to.contain('vault_injection_rotation_polls_total{result="Version"} 1');
    expect(metrics).to.contain('vault_injection_rotation_logins_total{result="success"} 1');
  });
});
