package example;

import com.nimbusds.jwt.JWTClaimsSet;
import java.net.URI;
import java.security.GeneralSecurityException;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.client.ClientHttpRequestFactory;
import org.springframework.http.client.SimpleClientHttpRequestFactory;
import org.springframework.security.oauth2.client.oidc.authentication.OidcIdTokenDecoderFactory;
import org.springframework.security.oauth2.client.oidc.userinfo.OidcUserRequest;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistration.ProviderDetails;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.userinfo.OAuth2UserService;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizationRequestResolver;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizationRequestCustomizers;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizationRequestRedirectFilter;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizationRequestResolver;
import org.springframework.security.oauth2.core.OAuth2AuthenticationException;
import org.springframework.security.oauth2.core.OAuth2Error;
import org.springframework.security.oauth2.core.converter.ClaimTypeConverter;
import org.springframework.security.oauth2.core.oidc.OidcIdToken;
import org.springframework.security.oauth2.core.oidc.OidcUserInfo;
import org.springframework.security.oauth2.core.oidc.user.DefaultOidcUser;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.oauth2.core.oidc.user.OidcUserAuthority;
import org.springframework.security.oauth2.jwt.BadJwtException;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtDecoderFactory;
import org.springframework.util.Assert;
import org.springframework.web.client.RestClient;
import org.springframework.web.client.RestClientException;

/**
 * Teaches the sign-in of Spring Security (oauth2Login) to verify SM2, by three beans that it looks for. Copy this class
 * beside Sm2JwtVerifier; Spring itself compares state and nonce.
 */
@Configuration(proxyBeanMethods = false)
public class Sm2Login {
    private static final ClaimTypeConverter TYPES =
        new ClaimTypeConverter(OidcIdTokenDecoderFactory.createDefaultClaimTypeConverters());

    private final Map<String, Sm2JwtVerifier> verifiers = new ConcurrentHashMap<>();
    private final RestClient http = RestClient.builder().requestFactory(patientFor(5_000)).build();

    @Bean
    JwtDecoderFactory<ClientRegistration> idTokenDecoders() {
        return registration -> token -> idToken(verifierOf(registration), token);
    }

    @Bean
    OAuth2UserService<OidcUserRequest, OidcUser> citizens() {
        return this::citizen;
    }

    @Bean
    OAuth2AuthorizationRequestResolver requestsWithPkce(ClientRegistrationRepository registrations) {
        var requests = new DefaultOAuth2AuthorizationRequestResolver(
            registrations, OAuth2AuthorizationRequestRedirectFilter.DEFAULT_AUTHORIZATION_REQUEST_BASE_URI);
        requests.setAuthorizationRequestCustomizer(OAuth2AuthorizationRequestCustomizers.withPkce());
        return requests;
    }

    private Sm2JwtVerifier verifierOf(ClientRegistration registration) {
        return verifiers.computeIfAbsent(registration.getRegistrationId(), id -> {
            ProviderDetails issuer = registration.getProviderDetails();
            String keys = (String) issuer.getConfigurationMetadata().get("sm_jwks_uri");
            Assert.notNull(keys, "the provider needs an issuer-uri, whose discovery names sm_jwks_uri");
            return new Sm2JwtVerifier(issuer.getIssuerUri(), registration.getClientId(), URI.create(keys));
        });
    }

    private static Jwt idToken(Sm2JwtVerifier verifier, String token) {
        try {
            JWTClaimsSet claims = verifier.verify(token);
            return new Jwt(token, claims.getIssueTime().toInstant(), claims.getExpirationTime().toInstant(),
                Map.of("alg", "SGD_SM3_SM2"), TYPES.convert(claims.toJSONObject()));
        } catch (GeneralSecurityException error) {
            throw new BadJwtException(error.getMessage(), error);
        }
    }

    private OidcUser citizen(OidcUserRequest request) {
        OidcIdToken idToken = request.getIdToken();
        String accessToken = request.getAccessToken().getTokenValue();
        String atHash = idToken.getAccessTokenHash();
        if (atHash != null && !atHash.equals(Sm2JwtVerifier.atHash(accessToken)))
            throw refused("invalid_id_token", "the access token of another answer", null);
        OidcUserInfo userinfo = userinfo(request.getClientRegistration(), accessToken);
        if (!idToken.getSubject().equals(userinfo.getSubject()))
            throw refused("invalid_user_info_response", "userinfo speaks of somebody else", null);
        return new DefaultOidcUser(Set.of(new OidcUserAuthority(idToken, userinfo)), idToken, userinfo);
    }

    private OidcUserInfo userinfo(ClientRegistration registration, String accessToken) {
        try {
            String answer = http.get().uri(registration.getProviderDetails().getUserInfoEndpoint().getUri())
                .headers(headers -> headers.setBearerAuth(accessToken)).retrieve().body(String.class);
            return new OidcUserInfo(verifierOf(registration).verify(answer).toJSONObject());
        } catch (RestClientException | GeneralSecurityException error) {
            throw refused("invalid_user_info_response", error.getMessage(), error);
        }
    }

    private static ClientHttpRequestFactory patientFor(int milliseconds) {
        var factory = new SimpleClientHttpRequestFactory();
        factory.setConnectTimeout(milliseconds);
        factory.setReadTimeout(milliseconds);
        return factory;
    }

    private static OAuth2AuthenticationException refused(String code, String reason, Exception cause) {
        return new OAuth2AuthenticationException(new OAuth2Error(code, reason, null), reason, cause);
    }
}
