from django.urls import path

from integrations.stores import connect_views, history_views, views

one = "<uuid:store_id>/"
change = "changes/<uuid:write_back_id>/"
row = "products/<int:row_id>/again/"
delivery = "deliveries/<uuid:store_delivery_id>/"

urlpatterns = [
    path("", connect_views.show_integrations, name="integrations"),
    path("woocommerce/new/", connect_views.add_woocommerce, name="add_woocommerce"),
    path("shopify/new/", connect_views.add_shopify, name="add_shopify"),
    path("custom/new/", connect_views.add_custom, name="add_custom"),
    path(f"{one}secret/", connect_views.replace_store_secret, name="replace_store_secret"),
    path(one, views.show_store, name="store"),
    path(f"{one}approve/", connect_views.approve_store, name="approve_store"),
    path(f"{one}keys/", connect_views.take_store_keys, name="take_store_keys"),
    path(f"{one}again/", connect_views.try_store_again, name="try_store_again"),
    path(f"{one}reconnect/", connect_views.reconnect_store, name="reconnect_store"),
    path(f"{one}progress/", views.show_store_progress, name="store_progress"),
    path(f"{one}settings/", views.change_store, name="change_store"),
    path(f"{one}off/", views.pause_store, name="pause_store"),
    path(f"{one}on/", views.resume_store, name="resume_store"),
    path(f"{one}poll/", views.poll_store, name="poll_store"),
    path(f"{one}disconnect/", views.disconnect_store, name="disconnect_store"),
    path(f"{one}run/", views.start_store_run, name="start_store_run"),
    path(f"{one}run/state/", views.change_store_run, name="change_store_run"),
    path(f"{one}write/", views.write_store_suggestions, name="write_store_suggestions"),
    path(f"{one}undo/", views.undo_store, name="undo_store"),
    path(f"{one}words/", views.show_store_words, name="store_words"),
    path(f"{one}words/save/", views.change_store_words, name="change_store_words"),
    path(f"{one}changes/", history_views.show_store_changes, name="store_changes"),
    path(change, history_views.show_store_change, name="store_change"),
    path(f"{change}undo/", history_views.undo_store_change, name="undo_store_change"),
    path(f"{change}write/", history_views.write_store_change, name="write_store_change"),
    path(f"{change}dismiss/", history_views.dismiss_store_change, name="dismiss_store_change"),
    path(f"{one}log/", history_views.show_store_log, name="store_log"),
    path(delivery, history_views.show_store_delivery, name="store_delivery"),
    path(f"{delivery}again/", history_views.replay_store_delivery, name="replay_store_delivery"),
    path(
        "products/<int:row_id>/again/", history_views.read_store_product, name="read_store_product"
    ),
]
