/**
 * Addresses that no image name may lead to. Anyone who may create a Deployment chooses the host that the operator
 * connects to; from there, loopback is the operator itself, and link-local addresses are where clouds hand out
 * credentials. Private networks stay open, because they host registries of clusters.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';
import { BlockList, isIP } from 'node:net';

const BLOCKED = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8], // "this host": Linux connects it to loopback
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local: metadata of AWS, Azure, Google, OpenStack
  ['224.0.0.0', 4],
  ['100.100.100.200', 32], // metadata of Alibaba
  ['168.63.129.16', 32], // WireServer of Azure
  ['192.0.0.192', 32], // metadata of Oracle
] as const) {
  BLOCKED.addSubnet(network, bits, 'ipv4'); // also covers IPv4-mapped IPv6 addresses
}
for (const [network, bits] of [
  ['::', 127], // unspecified and loopback
  ['fe80::', 10],
  ['ff00::', 8],
  ['fd00:ec2::', 32], // metadata of AWS
  ['64:ff9b::7f00:0', 104], // 127.0.0.0/8 and 169.254.0.0/16 through a NAT64 gateway
  ['64:ff9b::a9fe:0', 112],
] as const) {
  BLOCKED.addSubnet(network, bits, 'ipv6');
}

/**
 * Whether `host`, as in URL.hostname, is such an address. False for a name, which is judged by its addresses on
 * connect.
 */
export function isBlockedAddress(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '');
  const family = isIP(address);
  return family !== 0 && BLOCKED.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** The code of the error for a name that resolves only to such addresses. */
export const BLOCKED_ADDRESS = 'EBLOCKEDADDRESS';

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;
type Resolve = (host: string, options: LookupOptions & { all: true }, callback: AllCallback) => void;
type AllCallback = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/**
 * dns.lookup without those addresses. The socket itself uses it, so that it connects to the addresses that were judged:
 * a name that resolves differently the second time gains nothing.
 */
export function guardedLookup(
  resolve: Resolve = systemLookup,
): (host: string, options: LookupOptions, callback: LookupCallback) => void {
  return (host, options, callback) =>
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const open = addresses.filter(({ address }) => !isBlockedAddress(address));
      const [first] = open;
      if (first === undefined) callback(Object.assign(new Error('a blocked address'), { code: BLOCKED_ADDRESS }), []);
      else if (options.all === true) callback(null, open);
      else callback(null, first.address, first.family);
    });
}
