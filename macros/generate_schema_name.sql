{# A folder's schema is the schema: no prefix, so that SQL outside dbt can name it. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
