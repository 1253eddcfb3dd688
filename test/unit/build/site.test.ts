import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { expect } from 'chai';

import { checkSite } from '../../../build/site/check.ts';
import { surroundings, webAddress } from '../../../build/site/config.ts';
import { addressesOf, sidebar } from '../../../build/site/navigation.ts';
import { address, pageFiles, resolve, slug } from '../../../build/site/pages.ts';
import { ALERTS } from '../../support/monitoring.ts';

const ROOT = join(import.meta.dirname, '../../..');
const files = pageFiles(ROOT);
const pages = new Set(files);

describe('the pages of the documentation site', () => {
  it('are all of docs/, samples/, and what the root has for readers', () => {
    const docs = globSync('docs/**/*.md', { cwd: ROOT });
    expect(files).to.include.members([...docs, 'README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md']);
    expect(files).to.include('samples/README.md');
    expect(files).not.to.include('build/README.md');
  });

  const addresses = {
    'README.md': '/',
    'docs/README.md': '/contents',
    'docs/getting-started.md': '/getting-started',
    'docs/guides/install.md': '/guides/install',
    'docs/runbooks/README.md': '/runbooks/',
    'docs/security.md': '/security',
    'SECURITY.md': '/project/security',
    'samples/README.md': '/samples/',
  };
  for (const [file, expected] of Object.entries(addresses))
    it(`have addresses: ${file} is at ${expected}`, () => {
      expect(address(file)).to.equal(expected);
    });

  it('have an address each, in small letters or not', () => {
    expect(new Set(files.map((file) => address(file).toLowerCase())).size).to.equal(files.length);
  });

  for (const { alert, annotations } of ALERTS)
    it(`are where runbook_url of ${alert} points`, () => {
      const { pathname } = new URL(annotations.runbook_url ?? '');
      expect(files.map(address)).to.include(pathname);
      expect(pathname).to.match(/^\/runbooks\/[a-z-]+$/);
    });
});

describe('a link between two files of the documentation', () => {
  const from = 'docs/guides/install.md';
  const cases = {
    'upgrade.md': { to: 'page', file: 'docs/guides/upgrade.md', anchor: '' },
    '../reference/logs.md#fields': { to: 'page', file: 'docs/reference/logs.md', anchor: '#fields' },
    '../adr/': { to: 'page', file: 'docs/adr/README.md', anchor: '' },
    '../../CHANGELOG.md': { to: 'page', file: 'CHANGELOG.md', anchor: '' },
    '../../config/README.md#chart': { to: 'repository', path: 'config/README.md', anchor: '#chart' },
    '../../samples/quick-start/policy.yaml': { to: 'repository', path: 'samples/quick-start/policy.yaml', anchor: '' },
    '#pull-secrets': { to: 'elsewhere' },
    'https://kind.sigs.k8s.io': { to: 'elsewhere' },
    '//example.com/x.md': { to: 'elsewhere' },
  };
  for (const [href, expected] of Object.entries(cases))
    it(`leads somewhere: ${href}`, () => {
      expect(resolve(from, href, pages)).to.deep.equal(expected);
    });

  it('has the anchors of GitHub', () => {
    expect(slug('`kubectl exec` shows the reference')).to.equal('kubectl-exec-shows-the-reference');
    expect(slug('ResourceQuota, LimitRange and QoS')).to.equal('resourcequota-limitrange-and-qos');
    expect(slug('A — B')).to.equal('a--b');
  });
});

describe('the sidebar of the documentation site', () => {
  const groups = sidebar(ROOT, files);
  const listed = addressesOf(groups);

  it('has every page, and each once', () => {
    expect([...listed].sort()).to.deep.equal(files.map(address).sort());
  });

  it('has a group for each reader, in the order of docs/README.md', () => {
    expect(groups.slice(0, 3).map(({ text }) => text)).to.deep.equal([
      'New here',
      'On the platform team',
      'A developer who wants a secret in a program',
    ]);
    expect(listed.slice(0, 2)).to.deep.equal(['/', '/getting-started']);
  });

  it('has runbooks and decisions below their own pages', () => {
    const entries = groups.flatMap(({ items = [] }) => items);
    const below = (link: string): readonly string[] =>
      addressesOf(entries.find((one) => one.link === link)?.items ?? []);
    expect(below('/runbooks/')).to.include('/runbooks/no-leader');
    expect(below('/adr/')).to.include('/adr/0004-restore-then-inject');
  });
});

describe('the documentation site', () => {
  const remotes = {
    'https://github.com/acme/operator.git\n': 'https://github.com/acme/operator',
    'git@github.com:acme/operator.git': 'https://github.com/acme/operator',
    'ssh://git@gitlab.example.com/acme/group/operator': 'https://gitlab.example.com/acme/group/operator',
    'https://x:secret@github.com/acme/operator': 'https://github.com/acme/operator',
    '/srv/git/operator.git': '',
    '': '',
  };
  for (const [remote, expected] of Object.entries(remotes))
    it(`finds the repository's address: ${remote.trim()}`, () => {
      expect(webAddress(remote)).to.equal(expected);
    });

  it('may be published at any path', () => {
    for (const [written, base] of [
      ['', '/'],
      ['/operator', '/operator/'],
      ['operator/', '/operator/'],
    ])
      expect(surroundings({ DOCS_BASE: written, DOCS_SOURCE: '' }).base).to.equal(base);
  });

  it('has a generator that is pinned, and names no registry', () => {
    const read = (name: string): string => readFileSync(join(ROOT, 'build/site', name), 'utf8');
    const { devDependencies } = JSON.parse(read('package.json')) as { devDependencies: Record<string, string> };
    expect(Object.keys(devDependencies)).to.deep.equal(['vitepress']);
    for (const version of Object.values(devDependencies)) expect(version).to.match(/^\d+\.\d+\.\d+$/);
    expect(read('package-lock.json')).not.to.contain('"resolved"');
  });
});

describe('a site that was built', () => {
  let site: string;
  beforeEach(() => (site = mkdtempSync(join(tmpdir(), 'site-'))));
  afterEach(() => rmSync(site, { recursive: true, force: true }));

  const policy = `<meta http-equiv="Content-Security-Policy" content="default-src 'self'; object-src 'none'">`;
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(site, name)), { recursive: true });
    writeFileSync(join(site, name), text);
  };
  const good = `${policy}<script type="module" src="/base/assets/app.js"></script>
    <h1 id="faq">FAQ</h1><a href="#faq">up</a><a href="/base/guides/install#pull-secrets">i</a><a href="/base/runbooks/">r</a>
    <a class="header" href="https://example.com/a?b&amp;c">out</a>`;
  const faults = (change: (text: string) => string = (text) => text): readonly string[] => {
    write('assets/app.js', '');
    write('assets/style.css', "a { background: url('data:image/png;base64,AA==') }");
    write('guides/install.html', `${policy}<h2 id="pull-secrets" tabindex="-1">Pull</h2><a href="../faq">back</a>`);
    write('runbooks/index.html', policy);
    write('faq.html', change(good));
    return checkSite(site, '/base/', ['docs/faq.md', 'docs/guides/install.md', 'docs/runbooks/README.md']);
  };

  it('has no fault if all leads somewhere', () => {
    expect(faults()).to.deep.equal([]);
  });

  const cases: Readonly<Record<string, readonly [string, string, string]>> = {
    'a page that is not there': [
      '/base/guides/install#',
      '/base/guides/instal#',
      'guides/instal#pull-secrets leads nowhere',
    ],
    'an anchor that is not there': ['#pull-secrets', '#pull-secret', '#pull-secret leads to no such heading'],
    'an anchor of the page itself': ['"#faq"', '"#fa"', '#fa leads to no such heading'],
    'a link out of the base': ['"/base/runbooks/"', '"/runbooks/"', '/runbooks/ leads out of /base/'],
    'a script of another host': ['/base/assets/app.js', 'https://cdn.example.com/app.js', 'is loaded from elsewhere'],
    'a script that is not there': ['/base/assets/app.js', '/base/assets/ap.js', '/base/assets/ap.js leads nowhere'],
    'a script in the page': [' src="/base/assets/app.js"', '', 'scripts stand in the page'],
    'no policy against such': [policy, '', 'has no Content-Security-Policy'],
    'a policy below a script': [policy, '<script src="/base/assets/app.js"></script>' + policy, 'before what it loads'],
  };
  for (const [name, [before, after, expected]] of Object.entries(cases))
    it(`has a fault: ${name}`, () => {
      const found = faults((text) => text.replace(before, after));
      expect(found).to.have.length(1);
      expect(found[0])
        .to.match(/^faq\.html: /)
        .and.contain(expected);
    });

  it('has a fault: a page of the documentation is missing', () => {
    faults();
    expect(checkSite(site, '/base/', ['docs/faq.md', 'docs/chaos.md'])).to.deep.equal([
      'docs/chaos.md: there is no page at /chaos',
    ]);
  });

  it('has a fault: a style that loads from another host', () => {
    faults();
    write('assets/fonts.css', '@import "https://fonts.example.com/inter.css";');
    expect(checkSite(site, '/base/', [])).to.deep.equal([
      'assets/fonts.css: https://fonts.example.com/inter.css is loaded from elsewhere',
    ]);
  });
});
