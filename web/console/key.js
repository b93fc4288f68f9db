// The back-end key. A dialog asks for it when the relay requires one; it is stored in this tab only.

const kept = 'verbatim.key';
let asking;

export const key = () => sessionStorage.getItem(kept);

export function forget() {
  sessionStorage.removeItem(kept);
  dispatchEvent(new Event('keychange'));
}

/** Resolves to whether there is a key now. Concurrent callers share one dialog. */
export function ask(why) {
  asking ??= show(why).finally(() => (asking = undefined));
  return asking;
}

function show(why) {
  const dialog = document.getElementById('key');
  const value = document.getElementById('key-value');
  document.getElementById('key-why').textContent = why;
  value.value = '';
  return new Promise((resolve) => {
    dialog.querySelector('form').onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(kept, value.value.trim());
      dispatchEvent(new Event('keychange'));
      dialog.close();
    };
    document.getElementById('key-cancel').onclick = () => dialog.close();
    dialog.onclose = () => {
      value.value = '';
      resolve(key() !== null);
    };
    dialog.showModal();
    value.focus();
  });
}
