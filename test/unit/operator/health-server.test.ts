import { expect } from 'chai';
import { HealthServer } from '../../../operator/health-server.ts';
import { createWebhookMetrics } from '../../../webhook/metrics.ts';
import { loopback } from '../../support/loopback.ts';
import { testLog } from '../../support/test-log.ts';

describe('the health server', () => {
  let server: HealthServer;
  let base: string;
  let problem: string | undefined;
  let notAfter: number | undefined;

  beforeEach(async () => {
    problem = undefined;
    notAfter = undefined;
    const metrics = createWebhookMetrics();
    metrics.show({ rules: () => 3, leafNotAfter: () => notAfter });
    const { register } = metrics;
    const checks = [
      { name: 'rules', check: () => undefined },
      { name: 'certificate', check: () => problem },
    ];
    server = new HealthServer({ place: loopback(), checks, register, logger: testLog().logger });
    const { port } = await server.start();
    base = `http://127.0.0.1:${port}`;
  });
  afterEach(() => server.stop());

  const get = async (path: string, method = 'GET'): Promise<[number, string]> => {
    const response = await fetch(base + path, { method });
    return [response.status, await response.text()];
  };

  it('is ready when every check is', async () => {
    expect(await get('/readyz')).to.deep.equal([200, '[+] rules ok\n[+] certificate ok\nready\n']);
  });

  it('says which check fails, and why, and is alive all the same', async () => {
    problem = 'not trusted yet';
    expect(await get('/readyz')).to.deep.equal([503, '[+] rules ok\n[-] certificate: not trusted yet\nnot ready\n']);
    expect(await get('/livez')).to.deep.equal([200, 'ok\n']);
  });

  it('serves metrics, without those that are not known yet', async () => {
    const [, early] = await get('/metrics');
    expect(early).to.contain('vault_injection_rules 3\n');
    expect(early).not.to.match(/^vault_injection_certificate_not_after_seconds /m);
    notAfter = 5000;
    expect((await get('/metrics'))[1]).to.contain('vault_injection_certificate_not_after_seconds 5\n');
  });

  it('has every series of refusals and repairs from the start', async () => {
    const [, text] = await get('/metrics');
    expect(text).to.contain('vault_injection_requests_refused_total{code="413"} 0');
    expect(text).to.contain('vault_injection_repairs_total{object="configuration"} 0');
  });

  it('answers nothing else', async () => {
    expect((await get('/'))[0]).to.equal(404);
    expect((await get('/readyz', 'POST'))[0]).to.equal(405);
    expect(await get('/livez', 'HEAD')).to.deep.equal([200, '']);
  });
});
