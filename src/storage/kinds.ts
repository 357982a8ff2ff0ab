/** Kinds of artefacts that a store or a restore treats apart from the others. */

/** What a citizen was told or agreed to. One that is removed or replaced is withdrawn, and a restore withdraws it again. */
export const noticeKind = 'Notice'
/** A way to sign in that a citizen's device keeps. One that is removed is removed again by a restore. */
export const passkeyKind = 'Passkey'
/** A code by which an issuer knows an account's holder. One that is removed is removed again by a restore. */
export const linkKind = 'Link'
/** How far the register's changes were followed; a restored store follows on from where it was. */
export const registerCursorKind = 'RegisterCursor'
/** What a node has seen of its keys and put on record. */
export const keysSeenKind = 'KeysSeen'
/** Kinds that open nothing by themselves and outlive every sign-in; of all others a restore keeps none. */
export const lastingKinds: readonly string[] = [
  noticeKind,
  passkeyKind,
  linkKind,
  'Release',
  registerCursorKind,
  keysSeenKind,
]
