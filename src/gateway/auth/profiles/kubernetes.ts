import { refused } from '../token-refused.ts';
import type { Profile } from './profile.ts';

const SUBJECT = /^system:serviceaccount:([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?):([a-z0-9][-a-z0-9.]{0,252})$/;

/**
 * A service account's token that the API server issued for an audience and a pod (TokenRequest, projected volume). Those
 * that lie in secrets have no end and are refused.
 */
export const kubernetes: Profile = {
  problem: () => undefined,
  read: (claims) => {
    const [, namespace, , account] = SUBJECT.exec(claims.text('sub', 600)) ?? [];
    if (namespace === undefined) throw refused('subject');
    const cluster = claims.object('kubernetes.io');
    const named = cluster.object('serviceaccount');
    named.text('uid');
    if (cluster.text('namespace') !== namespace || named.text('name') !== account) throw refused('subject');
    return { signed: { project: namespace }, tokenId: claims.optionalText('jti') };
  },
};
