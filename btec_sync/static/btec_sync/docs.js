// Swagger UI over our own OpenAPI document. What it draws comes from there.
"use strict";

const place = document.getElementById("swagger-ui");

SwaggerUIBundle({
    url: place.dataset.schema,
    domNode: place,
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    // It would ask a server of swagger.io whether the document is valid.
    validatorUrl: null,
});
