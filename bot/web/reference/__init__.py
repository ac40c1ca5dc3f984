"""The reference of the API: its OpenAPI description, its page, and its Postman collection."""
