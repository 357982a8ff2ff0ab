/** The subpath `jose/errors`: upstream's error classes, the very same objects. */
export * from 'jose-upstream/errors'
