/**
 * The storage ports. Everything durable goes through them, so that SQLite, MongoDB and PostgreSQL can stand
 * behind the same rooms; `test/contracts/storage.ts` is what each of them must pass (DESIGN D4).
 *
 * Rules that hold on any server:
 * - a promise resolves only when the write is durable;
 * - a one-time thing is spent by inserting a unique mark, never by reading and then updating;
 * - times are milliseconds since the epoch, and an expired row is absent even before it is swept;
 * - personal values arrive here sealed, and are found by their blind index only (DESIGN D6).
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined }

/** What a driver gives. People's rows are protected above it: `protectPeople` makes a `Storage` of it. */
export interface Store {
  readonly people: People<StoredPerson>
  readonly artifacts: Artifacts
  readonly counters: Counters
  readonly applications: Applications
  readonly deliveries: Deliveries
  readonly audit: AuditTrail
  readonly dataKeys: DataKeys
  readonly restores: Restores
  /** Removes at most `limit` expired rows and says how many went; the caller repeats off the request path. */
  sweep(now: number, limit: number): Promise<number>
  close(): Promise<void>
}

/** What the rooms see. */
export type Storage = Omit<Store, 'people'> & { readonly people: People }

/* People (DESIGN D6) */

export type DocumentStatus = 'claimed' | 'proven' | 'replaced' | 'void'

export interface DocumentRow {
  /** Random, never changes, of no other document: its number is sealed to it, and the ledger names it. */
  readonly id: string
  readonly kind: string
  /** Blind indexes of the normalised number, one of each version, sorted; each unique for ever together with `kind`. */
  readonly indexes: readonly string[]
  /** The number, sealed under the person's data key; empty once the person is erased. */
  readonly number: string
  /** What the indexes are made of, sealed under a key of the store: it is there when the number is erased. */
  readonly reserve: string
  readonly status: DocumentStatus
  readonly from: number
  readonly to?: number
}

export interface PhoneRow {
  /** Random, of no other phone; the same as long as the person keeps the phone. */
  readonly id: string
  /** Blind indexes, one of each version, sorted; not unique, since people share phones and numbers are recycled. */
  readonly indexes: readonly string[]
  readonly number: string
  /** The register knows this phone as this person's (three elements), or a window bound it. */
  readonly proven: boolean
  /** Of a proven phone: when the register last said so. */
  readonly from: number
}

export interface PersonRow {
  /** Random, never changes, says nothing. */
  readonly id: string
  /** The person's data key, wrapped; destroying it erases the person, and it is empty then. */
  readonly dataKey: string
  readonly name?: string
  readonly documents: readonly DocumentRow[]
  readonly phones: readonly PhoneRow[]
  /** How well the account was proofed, 1–4 (DESIGN D8). */
  readonly proofing: number
  /** Of an erased person nothing is left but his id and the indexes of his documents. */
  readonly status: 'active' | 'suspended' | 'erased'
  readonly createdAt: number
  /** Counts up by one at each change. */
  readonly version: number
}

/** A row with the MAC over it (`person-mac.ts`); empty for an erased person, who has no rights. */
export type StoredPerson = PersonRow & { readonly mac: string }

/** What a row hangs on: the wrapping key of its data key, or the index versions of its documents and phones. */
export type Dependence = 'wrapping' | 'indexes'

export interface People<Row extends PersonRow = PersonRow> {
  byId(id: string): Promise<Row | undefined>
  /** @param indexes of one number, newest version first */
  byDocument(kind: string, indexes: readonly string[]): Promise<Row | undefined>
  /** Everybody who signs in by this phone, oldest account first. @param indexes of one phone */
  byPhone(indexes: readonly string[]): Promise<readonly Row[]>
  /** @throws AppError `conflict` where a document already belongs to somebody */
  insert(person: Row): Promise<void>
  /**
   * Replaces the row whose version is `person.version - 1`. Documents may be added and change status; none may vanish.
   * A restore repeats what this ends: a phone or document of the person, or his standing.
   * @throws AppError `conflict` where the version moved on, the person is erased or a document is somebody else's
   */
  update(person: Row): Promise<void>
  /**
   * Takes over the data key, wrapped anew, and the indexes, made anew, of the row whose version is `person.version - 1`,
   * and nothing else; also of an erased person. False where the version moved on: nothing is written then.
   * @throws AppError `conflict` where an index is of somebody else's document
   */
  renew(person: Row): Promise<boolean>
  /**
   * Destroys the person's data key, name and phones and the artefacts of his account; his documents stay his, void and
   * without their number, so that none is ever opened to somebody else as a fresh one. For good: no restore brings him
   * back. Twice is once.
   * @throws AppError `conflict` where nobody has the id
   */
  erase(id: string): Promise<void>
  /** The wrapping keys, or the sets of index versions (`indexSetsOf`), that rows hang on: each once. */
  dependences(on: Dependence): Promise<readonly string[]>
  /** Ids of the people who hang on it, in order, after an id. */
  dependents(on: Dependence, value: string, after: string, limit: number): Promise<readonly string[]>
}

/** The half that counting what is left needs. */
export type PeopleCounting = Pick<People, 'dependences' | 'dependents'>

/* Artefacts of the protocol engine and of sign-in attempts: short-lived, keyed, sealed by their owner */

export interface ArtifactRow {
  readonly id: string
  readonly payload: string
  readonly grant?: string
  readonly uid?: string
  readonly userCode?: string
  readonly account?: string
  readonly expiresAt: number
  /** Set by the store from the mark that `spend` left. */
  readonly spentAt?: number
}

export * from './kinds.ts'

export interface Artifacts {
  /**
   * Writes or replaces an artefact, and says whether it did: not where the mark `unless` stands, which is looked at in
   * the same transaction, so that what was ended is not written again by whoever had read it before.
   */
  put(
    kind: string,
    id: string,
    row: Omit<ArtifactRow, 'id' | 'spentAt'>,
    unless?: { readonly kind: string; readonly id: string },
  ): Promise<boolean>
  get(kind: string, id: string): Promise<ArtifactRow | undefined>
  byUid(kind: string, uid: string): Promise<ArtifactRow | undefined>
  byUserCode(kind: string, userCode: string): Promise<ArtifactRow | undefined>
  /** What an account has of a kind, longest-lived first; at most 200. */
  byAccount(kind: string, account: string): Promise<readonly ArtifactRow[]>
  /**
   * Spends a one-time thing: true for exactly one caller, also when many race, and for good (until `expiresAt`).
   * Needs no stored artefact: an assertion's `jti` is spent here too.
   */
  spend(kind: string, id: string, expiresAt: number): Promise<boolean>
  remove(kind: string, id: string): Promise<void>
  /** Removes every artefact of a grant, whatever its kind. */
  removeByGrant(grant: string): Promise<void>
}

/* Counters of the throttle: they only take away, so they need no MAC (DESIGN D11) */

export interface Count {
  readonly points: number
  readonly expiresAt: number
}

export interface Counters {
  /**
   * Adds points to a window and gives the sum, atomically. The window opens at the first call and closes at
   * `now + windowMs`; `restart` opens a new one with just these points.
   */
  add(key: string, points: number, now: number, windowMs: number, restart?: boolean): Promise<Count>
  get(key: string, now: number): Promise<Count | undefined>
  remove(key: string): Promise<boolean>
}

/* Applications (relying parties), seeded from files */

export interface ApplicationRow {
  readonly id: string
  /** The application's record as JSON; its shape is `oidc/application`. */
  readonly body: string
  /** HMAC-SM3 of the body: a row that gives rights is protected (DESIGN D11). */
  readonly mac: string
  readonly updatedAt: number
}

export interface Applications {
  list(): Promise<readonly ApplicationRow[]>
  get(id: string): Promise<ApplicationRow | undefined>
  put(row: ApplicationRow): Promise<void>
}

/* Durable deliveries of the outbox: notices of an end, or sealed by who enqueues them; they give no rights */

export interface Delivery {
  readonly id: string
  readonly kind: string
  readonly payload: string
  readonly attempts: number
  readonly dueAt: number
}

export interface Deliveries {
  enqueue(deliveries: readonly Omit<Delivery, 'attempts'>[]): Promise<void>
  /** Takes at most `limit` due deliveries and hides them from others until `leaseUntil`. */
  take(now: number, limit: number, leaseUntil: number): Promise<readonly Delivery[]>
  done(id: string): Promise<void>
  /** Counts the attempt and makes it due again at `dueAt`. */
  retry(id: string, dueAt: number, error: string): Promise<void>
  /** Gives up: kept, visible, never taken again. */
  bury(id: string, error: string): Promise<void>
  counts(): Promise<{ readonly waiting: number; readonly buried: number }>
}

/* Audit (DESIGN D11): append-only */

export interface AuditRow {
  readonly node: string
  /** 1, 2, 3 … without a gap, per node. */
  readonly seq: number
  readonly at: number
  /** The number (编号) that error pages show; several records may share it. */
  readonly reference?: string
  /** The record, canonical JSON; exactly these bytes are hashed. */
  readonly body: string
  /** Hex SM3, chained over the previous row. */
  readonly hash: string
}

export interface CheckpointRow {
  readonly node: string
  readonly seq: number
  readonly at: number
  /** Signed compact JWS over origin, node, seq, hash and time. */
  readonly jws: string
}

export interface AuditTrail {
  /** @throws AppError `conflict` where a row of that node and seq exists, or a gap would open; nothing is written then */
  append(rows: readonly AuditRow[]): Promise<void>
  last(node: string): Promise<AuditRow | undefined>
  /** Rows after `seq`, in order. */
  read(node: string, seq: number, limit: number): Promise<readonly AuditRow[]>
  byReference(reference: string, limit: number): Promise<readonly AuditRow[]>
  /** Every node that has rows or checkpoints. */
  nodes(): Promise<readonly string[]>
  putCheckpoint(row: CheckpointRow): Promise<void>
  lastCheckpoint(node: string): Promise<CheckpointRow | undefined>
  checkpoints(node: string, seq: number, limit: number): Promise<readonly CheckpointRow[]>
}

/** The reading half: all that verifying the trail needs. */
export type AuditReading = Omit<AuditTrail, 'append' | 'putCheckpoint'>

/* Wrapped data keys that belong to no person (artefacts, reserved numbers, audit retention), bound to their id */

export interface DataKeyRow {
  readonly id: string
  readonly wrapped: string
  /** The key is destroyed once this is past; absent: never. */
  readonly expiresAt?: number
}

export interface DataKeys {
  get(id: string): Promise<DataKeyRow | undefined>
  /** Insert-only; gives the row that stands, which may be another writer's. */
  add(row: DataKeyRow): Promise<DataKeyRow>
  /** Those that have not expired: a handful. */
  list(): Promise<readonly DataKeyRow[]>
  /** Puts one wrapping in the place of another; false where that one stands no more, or its time is past. */
  replace(id: string, before: string, wrapped: string): Promise<boolean>
}

/* Restores: what the store that was put in place does not know of itself */
export interface RestoreRow {
  readonly at: number
  /** The facts of the audit record, as JSON. */
  readonly facts: string
}

export interface Restores {
  /** Restores that no audit record tells of yet, oldest first; the server writes them at its first start. */
  unrecorded(): Promise<readonly RestoreRow[]>
  recorded(at: number): Promise<void>
}
