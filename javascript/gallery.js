// Which picture of a gallery is selected.

function all_gallery_buttons() {
    const buttons = gradioApp().querySelectorAll('[id$="_gallery"] .thumbnails > .thumbnail-item.thumbnail-small');
    return Array.from(buttons).filter((button) => uiElementIsVisible(button));
}

function selected_gallery_button() {
    return all_gallery_buttons().find((button) => button.classList.contains("selected")) || null;
}

function selected_gallery_index() {
    return all_gallery_buttons().findIndex((button) => button.classList.contains("selected"));
}

function gallery_container_buttons(id) {
    return Array.from(gradioApp().querySelectorAll(`#${id} .thumbnails > .thumbnail-item.thumbnail-small`));
}

function selected_gallery_index_id(id) {
    return gallery_container_buttons(id).findIndex((button) => button.classList.contains("selected"));
}

function extract_image_from_gallery(gallery) {
    if (!gallery.length) return [null];
    return [gallery[Math.max(0, selected_gallery_index())] ?? gallery[0]];
}
