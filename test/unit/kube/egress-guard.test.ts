import { expect } from 'chai';
import type { LookupAddress } from 'node:dns';
import { BLOCKED_ADDRESS, guardedLookup, isBlockedAddress } from '../../../kube/egress-guard.ts';

describe('addresses that nobody may lead the operator to', () => {
  const blocked = [
    '127.0.0.1',
    '127.255.0.1',
    '0.0.0.0',
    '169.254.169.254',
    '169.254.0.1',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '192.0.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '169.254.170.2',
    '[::1]',
    '[::]',
    '[fe80::1]',
    '[fd00:ec2::254]',
    '[::ffff:169.254.169.254]',
    '[::ffff:7f00:1]',
    '[::ffff:0:127.0.0.1]',
    '[::ffff:0:a9fe:a9fe]',
    '[::127.0.0.1]',
    '[::a9fe:a9fe]',
    '[::8.8.8.8]',
    '[2002:7f00:1::]',
    '[2002:808:808::1]',
    '[2001:0:1234::1]',
    '[2001::1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b::169.254.169.254]',
    '[64:ff9b::6464:64c8]',
    '[64:ff9b:1::7f00:1]',
    '[64:ff9b:1:fffe::8.8.8.8]',
    '[fe80::5efe:127.0.0.1]',
    '[2001:db8::5efe:169.254.169.254]',
    '[2001:db8::200:5efe:7f00:1]',
    '[fec0::1]',
    '[fd00:ec2::23]',
    '[fd20:ce::254]',
    '[fd00:c1::a9fe:a9fe]',
    '[100::1]',
    'fe80::1%eth0',
    '::1%lo',
    '[64:ff9b::a9fe:a9fe]',
    'ff02::1',
  ];
  for (const address of blocked) it(`hold ${address}`, () => expect(isBlockedAddress(address)).to.equal(true));

  // As URL spells what people write to get past such lists.
  for (const text of ['0x7f.1', '2130706433', '017700000001', '127.1', '①②⑦.0.0.1', '[0:0:0:0:0:ffff:7f00:0001]']) {
    it(`hold ${text}, once it is read as a URL`, () => {
      expect(isBlockedAddress(new URL(`https://${text}/`).hostname)).to.equal(true);
    });
  }

  for (const address of [
    '10.0.0.1',
    '192.168.1.1',
    '172.16.0.1',
    '8.8.8.8',
    '[fd00::1]',
    '[2001:db8::1]',
    '[64:ff9b::808:808]',
    '[64:ff9b::10.0.0.1]',
    '[::ffff:10.0.0.1]',
    '[2001:db8::5efe:10.0.0.1]',
    '[2001:4860:4860::8888]',
    '[2003::1]',
    '[fd12:3456::1]',
    '100.100.100.201',
    '100.64.0.1',
    'localhost',
  ]) {
    it(`do not hold ${address}`, () => expect(isBlockedAddress(address)).to.equal(false));
  }

  describe('are left out of what a name resolves to', () => {
    const look = (addresses: string[], all = true): Promise<unknown> =>
      new Promise((resolve) => {
        const answers: LookupAddress[] = addresses.map((address) => ({
          address,
          family: address.includes(':') ? 6 : 4,
        }));
        const lookup = guardedLookup((_, __, callback) => callback(null, answers));
        lookup('registry.example', { all }, (error, found) => resolve(error?.code ?? found));
      });

    it('if other addresses remain', async () => {
      expect(await look(['127.0.0.1', '10.0.0.1'])).to.deep.equal([{ address: '10.0.0.1', family: 4 }]);
      expect(await look(['::1', '10.0.0.1'], false)).to.equal('10.0.0.1');
    });
    it('and nothing remains of a name with only such addresses', async () => {
      expect(await look(['169.254.169.254', 'fe80::1'])).to.equal(BLOCKED_ADDRESS);
    });
    it('with the error of the resolver if there is one', async () => {
      const failing = guardedLookup((_, __, callback) =>
        callback(Object.assign(new Error(), { code: 'ENOTFOUND' }), []),
      );
      const code = await new Promise((resolve) => failing('x', {}, (error) => resolve(error?.code)));
      expect(code).to.equal('ENOTFOUND');
    });
  });
});
