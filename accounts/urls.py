from django.urls import path

from accounts import developer_views, views

urlpatterns = [
    path("new/", views.create_shop, name="create_shop"),
    path("switch/", views.switch_shop, name="switch_shop"),
    path("settings/", views.show_settings, name="shop_settings"),
    path("profile/", views.show_profile, name="profile"),
    path("language/", views.set_language, name="set_language"),
    path("members/", views.show_members, name="members"),
    path("members/invite/", views.invite_member, name="invite_member"),
    path("members/leave/", views.leave_shop, name="leave_shop"),
    path("members/<int:membership_id>/role/", views.change_role, name="change_role"),
    path("members/<int:membership_id>/remove/", views.remove_member, name="remove_member"),
    path(
        "invitations/<uuid:invitation_id>/revoke/",
        views.revoke_invitation,
        name="revoke_invitation",
    ),
    path("invitations/decline/", views.decline_invitation, name="decline_invitation"),
    path("developers/", developer_views.show_developers, name="developers"),
    path("developers/keys/", developer_views.create_key, name="create_key"),
    path("developers/keys/<uuid:key_id>/rotate/", developer_views.rotate_key, name="rotate_key"),
    path("developers/keys/<uuid:key_id>/revoke/", developer_views.revoke_key, name="revoke_key"),
    path("join/<str:token>/", views.answer_invitation, name="invitation"),
]
