import { expect } from 'chai';

import { changedSettings } from '../../../operator/changed-settings.ts';
import {
  readSettings,
  SettingsError,
  settingsHelp,
  tokenAudienceOf,
  type Settings,
} from '../../../operator/settings.ts';

const read = (argv: string[], env: Record<string, string> = {}, file = ''): Settings => {
  const settings = readSettings(argv, env, () => file);
  if (settings === 'help') throw new Error('asked for help');
  return settings;
};

describe('settings', () => {
  it('have defaults that need no flag at all', () => {
    expect(read([])).to.include({ namespace: 'vault-injection-system', webhookPort: 9443, logLevel: 'info' });
  });

  it('come from a flag before the environment before the file', () => {
    const file = 'logLevel: warn\nhealthPort: 1\nwebhookPort: 1';
    const env = { VAULT_INJECTION_WEBHOOK_PORT: '2', VAULT_INJECTION_HEALTH_PORT: '2' };
    expect(read(['--config', 'f.yaml', '--webhook-port', '3'], env, file)).to.include({
      webhookPort: 3,
      healthPort: 2,
      logLevel: 'warn',
    });
  });

  it('accept true and false from everywhere', () => {
    expect(read([]).leaderElection).to.equal(true);
    expect(read(['--leader-election', 'false']).leaderElection).to.equal(false);
    expect(read([], { VAULT_INJECTION_LEADER_ELECTION: 'false' }).leaderElection).to.equal(false);
    expect(read(['--config', 'f.yaml'], {}, 'leaderElection: false').leaderElection).to.equal(false);
  });

  it('take the name of the file from the environment too', () => {
    expect(read([], { VAULT_INJECTION_CONFIG: 'f.yaml' }, 'namespace: elsewhere').namespace).to.equal('elsewhere');
  });

  const refusals: [what: string, argv: string[], env: Record<string, string>, file: string, message: RegExp][] = [
    [
      'a flag without its value',
      ['--log-level'],
      {},
      '',
      /^--log-level needs a value: write --log-level=VALUE\. --help lists all settings\.$/,
    ],
    [
      'a flag before another',
      ['--log-level', '--port'],
      {},
      '',
      /^--log-level needs a value: write --log-level=VALUE\. --help lists all settings\.$/,
    ],
    ['an unknown flag', ['--colour', 'red'], {}, '', /^Unknown option '--colour'\. --help lists all settings\.$/],
    ['a misspelt flag', ['--webhook-urll', 'x'], {}, '', /'--webhook-urll'\. Did you mean --webhook-url\? --help/],
    ['a misspelt flag with its value', ['--log-levle=debug'], {}, '', /Did you mean --log-level\?/],
    ['a flag with one dash', ['-log-level', 'debug'], {}, '', /Did you mean --log-level\?/],
    [
      'a misspelt variable',
      [],
      { VAULT_INJECTION_LOGLEVEL: 'debug' },
      '',
      /^VAULT_INJECTION_LOGLEVEL: there is no such setting; did you mean VAULT_INJECTION_LOG_LEVEL\?$/,
    ],
    [
      'unknown variables, each on a line',
      [],
      { VAULT_INJECTION_COLOUR: 'red', VAULT_INJECTION_HEALT_PORT: '1' },
      '',
      /_COLOUR: there is no such setting; --help lists all settings\n.*did you mean VAULT_INJECTION_HEALTH_PORT\?$/,
    ],
    [
      'a variable that only looks like that of a Service',
      [],
      { VAULT_INJECTION_WEBHOK_SERVICE_PORT: '443' },
      '',
      /did you mean VAULT_INJECTION_WEBHOOK_SERVICE_PORT\?/,
    ],
    ['an unknown format of the log', ['--log-format', 'xml'], {}, '', /--log-format: "xml".*json or text/],
    ['a value outside of a list', ['--log-level', 'loud'], {}, '', /--log-level: "loud".*debug, info, warn or error/],
    ['a port that is no number', ['--webhook-port', 'https'], {}, '', /--webhook-port.*a port, 0 to 65535/],
    ['a port beyond 65535', [], { VAULT_INJECTION_HEALTH_PORT: '70000' }, '', /^VAULT_INJECTION_HEALTH_PORT/],
    ['a word that is neither true nor false', ['--leader-election', 'no'], {}, '', /--leader-election.*true or false/],
    ['a duration without unit', ['--drain', '5'], {}, '', /--drain: "5".*15s/],
    ['a webhook URL with a path', ['--webhook-url', 'https://x/y'], {}, '', /--webhook-url.*without path/],
    ['a webhook URL without TLS', ['--webhook-url', 'http://x'], {}, '', /--webhook-url.*https:/],
    ['a wait as long as the API server waits', ['--registry-timeout', '5s'], {}, '', /--registry-timeout.*up to 4s/],
    [
      'a Vault to check with a scheme',
      ['--vault-check-hosts', 'https://v'],
      {},
      '',
      /--vault-check-hosts.*without a port/,
    ],
    ['a registry with a scheme', ['--registries', 'https://x'], {}, '', /--registries.*hosts separated by commas/],
    ['a mirror of nothing', ['--registry-mirrors', 'mirror.example'], {}, '', /--registry-mirrors.*REGISTRY=HOST/],
    ['a platform without architecture', ['--node-platforms', 'linux'], {}, '', /--node-platforms.*OS\/ARCHITECTURE/],
    [
      'a ServiceAccount that is none',
      ['--vault-service-account', 'A'],
      {},
      '',
      /--vault-service-account.*ServiceAccount/,
    ],
    ['identities that are no list', ['--config', 'f'], {}, 'vaultIdentities: {}', /vaultIdentities in .*write a list/],
    [
      'an entry with a fault, with its place',
      ['--config', 'f'],
      {},
      'vaultIdentities: [{ name: main }]',
      /^vaultIdentities in the --config file: entry 1 \(main\): address is missing; write https:/,
    ],
    [
      'a file of identities that is no list',
      ['--vault-identities', 'v'],
      {},
      'a: b',
      /^--vault-identities v: write a list/,
    ],
    [
      'a file of identities that is no YAML',
      [],
      { VAULT_INJECTION_VAULT_IDENTITIES: 'v' },
      '[',
      /^VAULT_INJECT.*S v: /,
    ],
    [
      'an earlier setting as a flag',
      ['--rotation-vaults=https://v'],
      {},
      '',
      /^--rotation-vaults is no.*vaultIdentities/,
    ],
    [
      'an earlier setting in the environment',
      [],
      { VAULT_INJECTION_ROTATION_ROLE: 'r' },
      '',
      /^VAULT_.*_ROLE is no.*role in/,
    ],
    [
      'an earlier setting in the file',
      ['--config', 'f'],
      {},
      'rotationMount: m',
      /--config f: rotationMount is no.*mount in/,
    ],
    ['an earlier audience', ['--rotation-audience', 'v'], {}, '', /audience in each entry/],
    [
      'an earlier ServiceAccount',
      [],
      { VAULT_INJECTION_ROTATION_SERVICE_ACCOUNT: 'a' },
      '',
      /write vaultServiceAccount .*VAULT_INJECTION_VAULT_SERVICE_ACCOUNT/,
    ],
    ['no audience for tokens of pods', ['--token-audience', ''], {}, '', /--token-audience.*or APIServer/],
    ['no pause between lists', ['--relist-interval', '0s'], {}, '', /--relist-interval: "0s".*at least 1s/],
    ['no pause between checks', ['--vault-check-interval', '500ms'], {}, '', /--vault-check-interval: .*at least 1s/],
    ['no pause between readings', ['--source-interval', '0s'], {}, '', /--source-interval: "0s".*at least 1s/],
    ['no wait for a new CA', ['--certificate-wait', '0s'], {}, '', /--certificate-wait: "0s".*at least 1s/],
    ['names of certificates that nobody asks for', ['--webhook-client-names', 'a'], {}, '', /--webhook-client-ca/],
    ['an unknown key in the file', ['--config', 'f'], {}, 'logLvl: debug', /unknown setting "logLvl".*logLevel/],
    ['a file that is no mapping', ['--config', 'f'], {}, '- a', /--config f: write a YAML mapping/],
    ['a file that is no YAML', ['--config', 'f'], {}, 'a: [', /--config f: /],
  ];
  for (const [what, argv, env, file, message] of refusals) {
    it(`reject ${what}, and say what to write`, () => {
      expect(() => read(argv, env, file)).to.throw(SettingsError, message);
    });
  }

  for (const name of Object.keys(read([])).filter((setting) => setting.endsWith('Interval'))) {
    it(`reject ${name} of nothing: it would ask without a pause`, () => {
      expect(() => read(['--config', 'f'], {}, `${name}: 0s`)).to.throw(SettingsError, /"0s".*at least 1s/);
    });
  }

  it('accept lists of registries, with blanks around the commas', () => {
    const argv = ['--registries', 'docker.io, *.example.com:5000', '--registry-mirrors', 'docker.io=m.example:444/a/b'];
    expect(read([...argv, '--node-platforms', 'linux/arm64/v8,linux/amd64'])).to.include({
      registryMirrors: 'docker.io=m.example:444/a/b',
    });
    expect(read(['--registries', 'none']).registries).to.equal('none');
    const hosts = '*.example.com, [::1]:8200,vault';
    expect(read(['--vault-check-hosts', hosts]).vaultCheckHosts).to.equal(hosts);
  });

  describe('let the operator log in to no Vault', () => {
    const entry = '{ name: main, address: "https://v:8200/", paths: [secret/data/*] }';
    const names = (settings: Settings): string[] => settings.vaultIdentities.map(({ name }) => name);

    it('unless they name it', () => {
      for (const file of ['', 'vaultIdentities:', 'vaultIdentities: []', "vaultIdentities: ''"]) {
        expect(read(['--config', 'f'], {}, file).vaultIdentities).to.deep.equal([]);
      }
    });

    it('but those in the list of the file, or of a file of their own', () => {
      expect(names(read(['--config', 'f'], {}, `vaultIdentities: [${entry}]`))).to.deep.equal(['main']);
      expect(names(read(['--vault-identities', 'v'], {}, `- ${entry}`))).to.deep.equal(['main']);
      expect(names(read([], { VAULT_INJECTION_VAULT_IDENTITIES: 'v' }, `- ${entry}`))).to.deep.equal(['main']);
    });

    it('as another account than the one for Vault', () => {
      const [identity] = read(
        ['--config', 'f', '--vault-service-account', 'acme-vault'],
        {},
        `vaultIdentities: [${entry}]`,
      ).vaultIdentities;
      expect(identity).to.include({ serviceAccount: 'acme-vault', address: 'https://v:8200' });
    });
  });

  it('give the tokens of pods an audience of their own, unless they name the API server', () => {
    expect(tokenAudienceOf(read([]))).to.equal('vault');
    expect(tokenAudienceOf(read([], { VAULT_INJECTION_TOKEN_AUDIENCE: 'https://vault.example.com' }))).to.equal(
      'https://vault.example.com',
    );
    expect(tokenAudienceOf(read([], { VAULT_INJECTION_TOKEN_AUDIENCE: 'APIServer' }))).to.equal('');
  });

  it('name every bad setting at once', () => {
    expect(() => read(['--drain', 'x', '--log-level', 'y'])).to.throw(SettingsError, /--log-level[^]*--drain/);
  });

  describe('from variables', () => {
    // as a kubelet sets them for the Service NAME (pkg/kubelet/envvars)
    const links = (name: string): Record<string, string> => ({
      [`${name}_SERVICE_HOST`]: '10.0.0.7',
      [`${name}_SERVICE_PORT`]: '443',
      [`${name}_SERVICE_PORT_HTTPS`]: '443',
      [`${name}_PORT`]: 'tcp://10.0.0.7:443',
      [`${name}_PORT_443_TCP`]: 'tcp://10.0.0.7:443',
      [`${name}_PORT_443_TCP_PROTO`]: 'tcp',
      [`${name}_PORT_443_TCP_PORT`]: '443',
      [`${name}_PORT_443_TCP_ADDR`]: '10.0.0.7',
    });

    it('leave those of Services of the namespace alone', () => {
      const env = { ...links('VAULT_INJECTION_OPERATOR'), ...links('VAULT_INJECTION'), ...links('OTHER') };
      expect(read([], env)).to.deep.equal(read([]));
    });

    it('are not taken from a Service that has the name of a setting', () => {
      const settings = read([], { ...links('VAULT_INJECTION_WEBHOOK'), ...links('VAULT_INJECTION_HEALTH') });
      expect(settings).to.include({ webhookPort: 9443, healthPort: 8081 });
    });

    it('are taken beside those of a Service', () => {
      const env = { ...links('VAULT_INJECTION_OPERATOR'), VAULT_INJECTION_HEALTH_PORT: '1' };
      expect(read([], env).healthPort).to.equal(1);
    });

    it('count as not set if they are empty', () => {
      expect(read([], { VAULT_INJECTION_COLOUR: '' })).to.deep.equal(read([]));
    });
  });

  describe('that differ from their defaults', () => {
    it('are none if nothing is set', () => expect(changedSettings(read([]))).to.deep.equal({}));

    it('are shown with their values, and entries of Vault by their names alone', () => {
      const file =
        'vaultIdentities: [{ name: main, address: "https://v:8200/", paths: [secret/data/*] }]\nlogLevel: warn';
      expect(changedSettings(read(['--config', 'f', '--drain', '0s'], {}, file))).to.deep.equal({
        logLevel: 'warn',
        drain: '0s',
        vaultIdentities: ['main'],
      });
    });

    it('are not shown with the content of a file', () => {
      const argv = ['--webhook-token-file', '/etc/tokens', '--registry-config', '/etc/config.json'];
      expect(changedSettings(read(argv, {}, 'sesame'))).to.deep.equal({
        webhookTokenFile: '/etc/tokens',
        registryConfig: '/etc/config.json',
      });
    });
  });

  it('are listed by -h as well', () => expect(readSettings(['-h'], {})).to.equal('help'));

  it('are all listed by --help with their environment variable', () => {
    expect(readSettings(['--help'], {})).to.equal('help');
    for (const name of Object.keys(read([]))) expect(settingsHelp()).to.include(`file: ${name}\n`);
    expect(settingsHelp()).to.include('VAULT_INJECTION_WEBHOOK_URL');
  });
});
