/** The subpath `jose/base64url`: upstream's. */
export * from 'jose-upstream/base64url'
