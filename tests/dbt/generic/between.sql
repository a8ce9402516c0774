{# Values outside [low, high]; NULL is fine. #}
{% test between(model, column_name, low="'-infinity'", high="'infinity'") %}
    select {{ column_name }}
    from {{ model }}
    where {{ column_name }} < {{ low }} or {{ column_name }} > {{ high }}
{% endtest %}
