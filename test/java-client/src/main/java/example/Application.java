package example;

import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** An application with one page, which tells a citizen who signed in what it knows of him. */
@SpringBootApplication
@RestController
public class Application {
    public static void main(String[] arguments) {
        SpringApplication.run(Application.class, arguments);
    }

    /** What Spring Boot does by itself, but that a sign-in which fails says why. */
    @Bean
    SecurityFilterChain security(HttpSecurity http) throws Exception {
        return http
            .authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
            .oauth2Login(login -> login.failureHandler((request, response, error) -> {
                response.setStatus(401);
                response.getWriter().print(error.getMessage());
            }))
            .build();
    }

    @GetMapping("/me")
    Map<String, Object> me(@AuthenticationPrincipal OidcUser citizen) {
        return Map.of("idToken", citizen.getIdToken().getClaims(), "userinfo", citizen.getUserInfo().getClaims());
    }
}
