import { expect } from 'chai';

import { diagnose } from '../../../../webhook/probe/diagnosis.ts';

// what an API server 1.37 says after `failed to call webhook: `
const TEXTS: readonly [text: string, cause: string, advice: RegExp][] = [
  ['Post "https://127.0.0.1:1/mutate/probe?timeout=5s": dial tcp 127.0.0.1:1: connect: connection refused', 'refused', /see whether the operator runs.*--webhook-port/],
  ['Post "https://a.b.svc:443/mutate/probe?timeout=5s": dial tcp 10.0.0.9:443: i/o timeout', 'timeout', /firewall or NetworkPolicy/],
  ['Post "https://a.b.svc:443/mutate/probe?timeout=5s": context deadline exceeded', 'timeout', /GKE and EKS/],
  ['Post "https://a.b.svc:443/mutate/probe?timeout=5s": net/http: request canceled (Client.Timeout exceeded)', 'timeout', /firewall/],
  ['Post "https://a.b.svc:443/mutate/probe?timeout=5s": no endpoints available for service "a"', 'service', /selector/],
  ['Post "https://a.b.svc:443/mutate/probe?timeout=5s": service "a" not found', 'service', /--webhook-service/],
  ['Post "https://h:9443/mutate/probe?timeout=5s": tls: failed to verify certificate: x509: certificate is valid for localhost, not h', 'certificate', /--webhook-url/],
  ['Post "https://h:9443/mutate/probe?timeout=5s": tls: failed to verify certificate: x509: certificate signed by unknown authority', 'certificate', /proxy/],
  ['Post "https://h:9443/mutate/probe?timeout=5s": http: server gave HTTP response to HTTPS client', 'tls', /TLS/],
  ['Post "https://h:9443/mutate/probe?timeout=5s": dial tcp: lookup h on 10.0.0.10:53: no such host', 'name', /resolve/],
  ['Post "https://h:9443/mutate/probe?timeout=5s": dial tcp 10.1.2.3:9443: connect: no route to host', 'route', /route/],
  ['Post "https://a.b.svc:443/mutate/probe?timeout=5s": No agent available', 'tunnel', /konnectivity/],
  ['Post "https://a.b.svc:443/mutate/probe?timeout=5s": EOF', 'closed', /closed/],
  ['the server has asked for the client to provide credentials', 'credentials', /--webhook-client-ca or --webhook-token-file/],
  ['the server could not find the requested resource', 'answer', /not this operator/],
  ['something that nobody has seen', 'other', /--webhook-port/],
]; // prettier-ignore

describe('why an API server cannot call the webhook', () => {
  it('names the port, for a firewall rule, where it is known', () => {
    const text = 'Post "https://a.b.svc:443/x": dial tcp 10.0.0.9:443: i/o timeout';
    expect(diagnose(text, 10250).advice).to.include('allow the control plane to reach --webhook-port (10250) of');
    expect(diagnose('anything', 10250).advice).to.include('--webhook-port (10250)');
    expect(diagnose(text).advice).to.not.include('(');
  });

  for (const [text, cause, advice] of TEXTS) {
    it(`${cause}: ${text.replace(/^Post "[^"]*": /, '')}`, () => {
      expect(diagnose(text).cause).to.equal(cause);
      expect(diagnose(text).advice).to.match(advice);
    });
  }
});
