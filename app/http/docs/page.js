/**
 * The page at /docs: Swagger UI over /openapi.json, all of it from this server. The API key is asked for where the
 * document says that one is needed, and kept in the memory of this tab alone.
 */
const login = document.getElementById("login");
const key = document.getElementById("key");
const told = document.getElementById("told");

const ui = window.SwaggerUIBundle({
  // Beside /docs, wherever the API begins.
  url: new URL("../openapi.json", document.currentScript.src).pathname,
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  persistAuthorization: false,
  // It would ask a server on the internet.
  validatorUrl: null,
  onComplete() {
    const { security } = ui.specSelectors.specJson().toJS();
    login.hidden = security === undefined;
  },
});

login.addEventListener("submit", (event) => {
  event.preventDefault();
  ui.preauthorizeApiKey("apiKey", key.value);
  key.value = "";
  told.textContent = "Requests from this page now carry the key, until you reload.";
});
