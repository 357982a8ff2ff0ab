package example;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSObject;
import com.nimbusds.jose.util.Base64URL;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jose.util.ResourceRetriever;
import com.nimbusds.jwt.JWTClaimsSet;
import java.io.IOException;
import java.net.URI;
import java.security.GeneralSecurityException;
import java.text.ParseException;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;
import org.bouncycastle.asn1.gm.GMNamedCurves;
import org.bouncycastle.crypto.digests.SM3Digest;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.params.ParametersWithID;
import org.bouncycastle.crypto.signers.PlainDSAEncoding;
import org.bouncycastle.crypto.signers.SM2Signer;
import org.bouncycastle.math.ec.ECPoint;

/**
 * Verifies what an issuer signs with SGD_SM3_SM2 (GM/T 0125): SM2 over SM3, with the keys at its sm_jwks_uri. Copy this
 * class; it needs bcprov-jdk18on and nimbus-jose-jwt, which Spring Security brings, and Java 8 or newer. Make one for
 * an application: it keeps the keys, and many threads may ask it.
 */
public final class Sm2JwtVerifier {
    private static final JWSAlgorithm SGD_SM3_SM2 = new JWSAlgorithm("SGD_SM3_SM2");
    private static final ECDomainParameters SM2 = new ECDomainParameters(GMNamedCurves.getByName("sm2p256v1"));
    private static final byte[] SIGNER_ID = "1234567812345678".getBytes(US_ASCII);
    /** Three parts of base64url, the last of exactly 64 bytes (r‖s) in their one spelling. */
    private static final Pattern COMPACT = Pattern.compile("[\\w-]+\\.[\\w-]+\\.[\\w-]{85}[AQgw]");

    private static final long SKEW_MS = 60_000;
    private static final long KEEP_KEYS_MS = 600_000;
    /** After a set that did not name the key asked for, so that tokens with invented keys are no flood. */
    private static final long PAUSE_MS = 30_000;

    private final String issuer;
    private final String clientId;
    private final URI keySet;
    private final ResourceRetriever retriever = new DefaultResourceRetriever(5_000, 5_000, 100_000);

    private Map<String, ECPublicKeyParameters> keys = Collections.emptyMap();
    private long fetchedAt;
    private long missedAt;

    /** @param keySet the issuer's sm_jwks_uri */
    public Sm2JwtVerifier(String issuer, String clientId, URI keySet) {
        this.issuer = issuer;
        this.clientId = clientId;
        this.keySet = keySet;
    }

    /**
     * Verifies an ID token or a signed userinfo answer. The caller still compares the nonce with that of the request.
     *
     * @return the claims: signed by the issuer, for this application, valid now
     * @throws GeneralSecurityException what is wrong with the token, or that the keys cannot be had
     */
    public JWTClaimsSet verify(String token) throws GeneralSecurityException {
        require(token != null && COMPACT.matcher(token).matches(), "not a signed JWT");
        try {
            JWSObject jws = JWSObject.parse(token);
            checkHeader(jws.getHeader());
            checkSignature(jws, keyFor(jws.getHeader().getKeyID()));
            Map<String, Object> payload = jws.getPayload().toJSONObject();
            require(payload != null, "claims that are no JSON object");
            JWTClaimsSet claims = JWTClaimsSet.parse(payload);
            checkClaims(claims);
            return claims;
        } catch (ParseException | RuntimeException error) {
            throw new GeneralSecurityException("not a signed JWT", error);
        }
    }

    /** What at_hash must say of an access token: the left half of its SM3, base64url (OpenID Connect Core 3.1.3.6). */
    public static String atHash(String accessToken) {
        byte[] bytes = accessToken.getBytes(US_ASCII);
        SM3Digest sm3 = new SM3Digest();
        sm3.update(bytes, 0, bytes.length);
        byte[] hash = new byte[sm3.getDigestSize()];
        sm3.doFinal(hash, 0);
        return Base64URL.encode(Arrays.copyOf(hash, hash.length / 2)).toString();
    }

    /** The header chooses neither the algorithm nor the key's source, and no extension is understood (RFC 8725 3.1, 3.11). */
    private static void checkHeader(JWSHeader header) throws GeneralSecurityException {
        require(SGD_SM3_SM2.equals(header.getAlgorithm()), "another algorithm");
        require(header.getCriticalParams() == null && header.isBase64URLEncodePayload(), "an unknown extension");
        require(header.getType() == null || JOSEObjectType.JWT.equals(header.getType()), "another type of token");
    }

    private static void checkSignature(JWSObject jws, ECPublicKeyParameters key) throws GeneralSecurityException {
        SM2Signer signer = new SM2Signer(PlainDSAEncoding.INSTANCE);
        signer.init(false, new ParametersWithID(key, SIGNER_ID));
        byte[] input = jws.getSigningInput();
        signer.update(input, 0, input.length);
        require(signer.verifySignature(jws.getSignature().decode()), "a signature that does not verify");
    }

    private void checkClaims(JWTClaimsSet claims) throws GeneralSecurityException {
        long now = System.currentTimeMillis();
        Date expires = claims.getExpirationTime();
        Date issued = claims.getIssueTime();
        require(issuer.equals(claims.getIssuer()), "another issuer");
        require(Collections.singletonList(clientId).equals(claims.getAudience()), "another audience");
        require(claims.getSubject() != null, "no subject");
        require(expires != null && expires.getTime() > now - SKEW_MS, "an expired token");
        require(issued != null && issued.getTime() < now + SKEW_MS, "a token from the future");
    }

    /** The set is fetched again when it is old, and for a key it does not name yet. */
    private synchronized ECPublicKeyParameters keyFor(String kid) throws GeneralSecurityException {
        require(kid != null, "no kid");
        long now = System.currentTimeMillis();
        boolean old = now - fetchedAt > KEEP_KEYS_MS;
        if (old || !keys.containsKey(kid) && now - missedAt > PAUSE_MS) {
            keys = fetchKeys();
            fetchedAt = now;
            if (!keys.containsKey(kid)) missedAt = now;
        }
        require(keys.containsKey(kid), "an unknown key");
        return keys.get(kid);
    }

    private Map<String, ECPublicKeyParameters> fetchKeys() throws GeneralSecurityException {
        try {
            Map<String, Object> set = JSONObjectUtils.parse(retriever.retrieveResource(keySet.toURL()).getContent());
            Map<String, ECPublicKeyParameters> found = new HashMap<>();
            for (Map<String, Object> jwk : JSONObjectUtils.getJSONObjectArray(set, "keys"))
                if ("EC".equals(jwk.get("kty")) && "sm2p256v1".equals(jwk.get("crv")))
                    found.put(JSONObjectUtils.getString(jwk, "kid"), publicKey(jwk));
            return found;
        } catch (IOException | ParseException | RuntimeException error) {
            throw new GeneralSecurityException("the keys of the issuer cannot be had", error);
        }
    }

    /** @throws IllegalArgumentException where the point is not on the curve */
    private static ECPublicKeyParameters publicKey(Map<String, Object> jwk) throws ParseException {
        Base64URL x = JSONObjectUtils.getBase64URL(jwk, "x");
        Base64URL y = JSONObjectUtils.getBase64URL(jwk, "y");
        if (x == null || y == null) throw new ParseException("a key without a point", 0);
        ECPoint point = SM2.getCurve().validatePoint(x.decodeToBigInteger(), y.decodeToBigInteger());
        return new ECPublicKeyParameters(point, SM2);
    }

    private static void require(boolean holds, String otherwise) throws GeneralSecurityException {
        if (!holds) throw new GeneralSecurityException(otherwise);
    }
}
