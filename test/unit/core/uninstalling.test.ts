import { expect } from 'chai';

import { formatUninstalling, parseUninstalling } from '../../../core/uninstalling.ts';

describe('the mark of an installation that is being removed', () => {
  const here = formatUninstalling('Remove', 'uid-1');
  const unknown = formatUninstalling('Restore', undefined);
  const rows: readonly (readonly [string, string | undefined, string | undefined, boolean, string | undefined])[] = [
    ['counts where it names the ClusterRole', here, 'uid-1', false, 'Remove'],
    ['counts for a replica that starts again meanwhile', here, 'uid-1', true, 'Remove'],
    ['says nothing about an installation that came later', here, 'uid-2', false, undefined],
    ['counts for those that ran before it, if there is no ClusterRole', here, undefined, false, 'Remove'],
    ['says nothing to a process that started later, if there is no ClusterRole', here, undefined, true, undefined],
    ['may name no ClusterRole: then it counts for those that ran before it', unknown, 'uid-1', false, 'Restore'],
    ['may name no ClusterRole: then it says nothing to later ones', unknown, 'uid-1', true, undefined],
    ['may be missing', undefined, 'uid-1', false, undefined],
    ['may be text of somebody else', 'true', 'uid-1', false, undefined],
    ['is not read if it is too long', `Remove/${'a'.repeat(101)}`, undefined, false, undefined],
  ];
  for (const [what, value, uid, wasThere, expected] of rows)
    it(what, () => expect(parseUninstalling(value, { uid, wasThere })).to.equal(expected));
});
